"""The published messages of a RecordIO-protobuf record, for Google's own library."""

import pytest


def schema():
    """`aialgs.data.Record` as Google's library builds it from the published messages."""
    descriptor_pb2 = pytest.importorskip("google.protobuf.descriptor_pb2")
    from google.protobuf import descriptor_pool, message_factory, text_format

    text = """
    name: "record.proto" package: "aialgs.data" syntax: "proto2"
    message_type { name: "Float32Tensor"
      field { name: "values" number: 1 label: LABEL_REPEATED type: TYPE_FLOAT options { packed: true } }
      field { name: "keys" number: 2 label: LABEL_REPEATED type: TYPE_UINT64 options { packed: true } }
      field { name: "shape" number: 3 label: LABEL_REPEATED type: TYPE_UINT64 options { packed: true } } }
    message_type { name: "Int32Tensor"
      field { name: "values" number: 1 label: LABEL_REPEATED type: TYPE_INT32 options { packed: true } }
      field { name: "keys" number: 2 label: LABEL_REPEATED type: TYPE_UINT64 options { packed: true } }
      field { name: "shape" number: 3 label: LABEL_REPEATED type: TYPE_UINT64 options { packed: true } } }
    message_type { name: "Value"
      field { name: "float32_tensor" number: 2 label: LABEL_OPTIONAL type: TYPE_MESSAGE type_name: "Float32Tensor" }
      field { name: "int32_tensor" number: 7 label: LABEL_OPTIONAL type: TYPE_MESSAGE type_name: "Int32Tensor" } }
    message_type { name: "Record"
      nested_type { name: "FeaturesEntry" options { map_entry: true }
        field { name: "key" number: 1 label: LABEL_OPTIONAL type: TYPE_STRING }
        field { name: "value" number: 2 label: LABEL_OPTIONAL type: TYPE_MESSAGE type_name: "Value" } }
      field { name: "features" number: 1 label: LABEL_REPEATED type: TYPE_MESSAGE type_name: "Record.FeaturesEntry" }
      field { name: "uid" number: 3 label: LABEL_OPTIONAL type: TYPE_STRING } }
    """
    pool = descriptor_pool.DescriptorPool()
    pool.Add(text_format.Parse(text, descriptor_pb2.FileDescriptorProto()))
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("aialgs.data.Record"))
