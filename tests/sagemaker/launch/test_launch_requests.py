"""Every request is one that AWS's own service model accepts, and says what the job needs."""

import re
from functools import cache

import pytest

from pixelwise.errors import SettingsError
from pixelwise.sagemaker.launch.inputs import channel_inputs, folder_inputs, manifest_inputs, model_input
from pixelwise.sagemaker.launch.job import LaunchedJob, training_request
from pixelwise.sagemaker.launch.serving import Model, endpoint_requests
from pixelwise.sagemaker.launch.transform import Transform, transform_requests
from pixelwise.sagemaker.launch.tuning import Between, OneOf, parse_ranges, tuning_request

ROLE = "arn:aws:iam::123456789012:role/SageMaker"
HYPERPARAMETERS = {"num_classes": 21, "num_training_samples": 1464, "syncbn": True, "learning_rate": 0.01}
MODEL = Model(name="streets", image_uri="image:1", role=ROLE, data="s3://bucket/models/streets/output/model.tar.gz")


def job(**changes) -> LaunchedJob:
    given = {
        "name": "streets",
        "image_uri": "image:1",
        "role": ROLE,
        "inputs": folder_inputs("s3://bucket/streets"),
        "output": "s3://bucket/models",
        "hyperparameters": HYPERPARAMETERS,
    }
    return LaunchedJob(**{**given, **changes})


@cache
def service():
    """AWS's own description of SageMaker's requests, as botocore brings it."""
    return pytest.importorskip("botocore.session").get_session().get_service_model("sagemaker")


def faults(operation: str, request: dict) -> str:
    """What botocore's validator says against a request; nothing if it is well formed."""
    validator = pytest.importorskip("botocore.validate").ParamValidator()
    return validator.validate(request, service().operation_model(operation).input_shape).generate_report()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"spot": True, "max_run": 3600, "max_wait": 7200, "checkpoints": "s3://bucket/kept", "is_isolated": True},
        {
            "inputs": (
                *folder_inputs("s3://bucket/a", label_map=True, mode="FastFile"),
                model_input("s3://bucket/m.tar.gz"),
            )
        },
        {"inputs": manifest_inputs("s3://bucket/t.manifest", "s3://bucket/v.manifest", "street-ref")},
        {"hyperparameters": {**HYPERPARAMETERS, "lr_scheduler": "step", "lr_scheduler_step": [10, 20]}},
    ],
)
def test_the_service_model_accepts_training_and_tuning(changes):
    assert faults("CreateTrainingJob", training_request(job(**changes))) == ""
    changes.pop("checkpoints", None)
    assert faults("CreateHyperParameterTuningJob", tuning_request(job(**changes))) == ""


def test_the_service_model_accepts_an_endpoint_and_a_transform():
    operations = {
        "create_model": "CreateModel",
        "create_endpoint_config": "CreateEndpointConfig",
        "create_endpoint": "CreateEndpoint",
        "create_transform_job": "CreateTransformJob",
    }
    transform = Transform(images="s3://bucket/photos", output="s3://bucket/masks")
    requests = [*endpoint_requests(MODEL).items(), *transform_requests(MODEL, transform).items()]
    assert {method for method, _request in requests} == set(operations)
    assert [faults(operations[method], request) for method, request in requests] == [""] * 5


def test_the_service_model_refuses_broken_requests():
    request = training_request(job())
    assert "HyperParameters" in faults("CreateTrainingJob", {**request, "HyperParameters": {"num_classes": 21}})
    assert "MaxRun" in faults("CreateTrainingJob", {**request, "MaxRun": 1})
    assert "RoleArn" in faults("CreateTrainingJob", {name: request[name] for name in request if name != "RoleArn"})


def test_a_training_request_says_what_was_asked():
    request = training_request(job())
    assert request["HyperParameters"] == {
        "num_classes": "21",
        "num_training_samples": "1464",
        "syncbn": "True",
        "learning_rate": "0.01",
    }
    assert request["ResourceConfig"] == {"InstanceType": "ml.g5.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 50}
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 86400}
    assert request["OutputDataConfig"] == {"S3OutputPath": "s3://bucket/models/"}
    names = [each["Name"] for each in request["AlgorithmSpecification"]["MetricDefinitions"]]
    assert {"train:loss", "validation:mIOU", "validation:pixel_accuracy"} <= set(names)
    assert len(names) <= 40  # the service takes no more
    assert "CheckpointConfig" not in request


def test_prefixes_end_with_a_slash_so_that_train_does_not_bring_train_annotation():
    channels = {each["ChannelName"]: each for each in training_request(job())["InputDataConfig"]}
    addresses = {name: each["DataSource"]["S3DataSource"]["S3Uri"] for name, each in channels.items()}
    assert addresses == {
        "train": "s3://bucket/streets/train/",
        "train_annotation": "s3://bucket/streets/train_annotation/",
        "validation": "s3://bucket/streets/validation/",
        "validation_annotation": "s3://bucket/streets/validation_annotation/",
    }


def test_a_spot_job_waits_twice_as_long_and_keeps_checkpoints_in_its_output():
    request = training_request(job(spot=True, max_run=3600))
    assert request["EnableManagedSpotTraining"] is True
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200}
    assert request["CheckpointConfig"] == {
        "S3Uri": "s3://bucket/models/streets/checkpoints/",
        "LocalPath": "/opt/ml/checkpoints",
    }


def test_augmented_manifests_come_through_pipes_image_first():
    inputs = manifest_inputs(
        "s3://bucket/t.manifest", "s3://bucket/v.manifest", "train-ref", validation_label="valid-ref"
    )
    request = training_request(job(inputs=(*inputs, model_input("s3://bucket/old/model.tar.gz"))))
    train, validation, model = request["InputDataConfig"]
    assert train == {
        "ChannelName": "train",
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "AugmentedManifestFile",
                "S3Uri": "s3://bucket/t.manifest",
                "S3DataDistributionType": "FullyReplicated",
                "AttributeNames": ["source-ref", "train-ref"],
            }
        },
        "ContentType": "application/x-recordio",
        "RecordWrapperType": "RecordIO",
        "InputMode": "Pipe",
    }
    assert validation["DataSource"]["S3DataSource"]["AttributeNames"] == ["source-ref", "valid-ref"]
    assert (model["ContentType"], model["InputMode"]) == ("application/x-sagemaker-model", "File")
    assert request["AlgorithmSpecification"]["TrainingInputMode"] == "Pipe"


def test_the_recommended_ranges_are_the_published_ones_as_texts():
    request = tuning_request(job())
    config = request["HyperParameterTuningJobConfig"]
    assert config["HyperParameterTuningJobObjective"] == {"Type": "Maximize", "MetricName": "validation:mIOU"}
    assert config["ParameterRanges"] == {
        "ContinuousParameterRanges": [
            {"Name": "learning_rate", "MinValue": "1e-4", "MaxValue": "1e-1", "ScalingType": "Logarithmic"},
            {"Name": "momentum", "MinValue": "0.9", "MaxValue": "0.999", "ScalingType": "Auto"},
            {"Name": "weight_decay", "MinValue": "1e-5", "MaxValue": "1e-3", "ScalingType": "Auto"},
        ],
        "IntegerParameterRanges": [
            {"Name": "mini_batch_size", "MinValue": "1", "MaxValue": "128", "ScalingType": "Auto"}
        ],
        "CategoricalParameterRanges": [{"Name": "optimizer", "Values": ["sgd", "adam"]}],
    }
    # learning_rate varies, so that the job's own value must not be sent beside it.
    static = {"num_classes": "21", "num_training_samples": "1464", "syncbn": "True"}
    assert request["TrainingJobDefinition"]["StaticHyperParameters"] == static


def test_ranges_are_read_from_texts():
    assert parse_ranges(["learning_rate", "momentum=0.8..0.99", "optimizer=sgd, nag"]) == {
        "learning_rate": Between("1e-4", "1e-1", "Logarithmic"),
        "momentum": Between("0.8", "0.99"),
        "optimizer": OneOf(("sgd", "nag")),
    }


def test_jobs_of_a_tuning_on_spot_share_no_checkpoints():
    definition = tuning_request(job(spot=True))["TrainingJobDefinition"]
    assert definition["EnableManagedSpotTraining"] is True
    assert "CheckpointConfig" not in definition


@pytest.mark.parametrize(
    ("ranges", "words"),
    [
        ({"learning_rat": Between("1e-4", "1e-1")}, "learning_rate"),
        ({"optimizer": OneOf(("sgd", "adadelta"))}, "adadelta"),
        ({"learning_rate": Between("0.1", "2")}, "'2'"),
        ({"momentum": Between("0.99", "0.9")}, "lower end first"),
        ({"optimizer": Between("a", "b")}, "choices"),
        ({"num_classes": Between("2", "3")}, "num_classes"),
        ({}, "at least one"),
    ],
)
def test_ranges_that_would_fail_are_refused_before_anything_is_paid(ranges, words):
    with pytest.raises(SettingsError, match=words):
        tuning_request(job(), ranges=ranges)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hyperparameters": {**HYPERPARAMETERS, "learning_rat": 0.1}}, "Did you mean 'learning_rate'"),
        ({"hyperparameters": {"num_classes": 21}}, "num_training_samples"),
        ({"name": "my_job"}, "hyphens"),
        ({"name": "a" * 64}, "63"),
        ({"role": "SageMaker"}, "arn:aws:iam"),
        ({"image_uri": "<your image>"}, "REGISTRY"),
        ({"instance_type": "g5.2xlarge"}, "ml.g5.2xlarge"),
        ({"output": "/tmp/models"}, "s3://"),
        ({"volume_gb": 0}, "volume_gb"),
        ({"max_wait": 10}, "without spot"),
        ({"spot": True, "max_run": 100, "max_wait": 10}, "less than max_run"),
        ({"inputs": ()}, "train"),
    ],
)
def test_a_job_that_would_fail_is_refused_before_anything_is_paid(changes, words):
    with pytest.raises(SettingsError, match=words):
        job(**changes)


def test_data_that_would_fail_is_refused():
    with pytest.raises(SettingsError, match="train_annotation"):
        channel_inputs({"train": "s3://bucket/a", "validation": "s3://bucket/b"})
    with pytest.raises(SettingsError, match="FastFile"):
        folder_inputs("s3://bucket/a", mode="Pipe")
    with pytest.raises(SettingsError, match="-ref"):
        manifest_inputs("s3://bucket/t", "s3://bucket/v", "street")


def test_a_tuning_that_would_fail_is_refused():
    for call, words in (
        (lambda: tuning_request(job(name="a" * 33)), "32"),
        (lambda: tuning_request(job(), objective="validation:mIoU"), "validation:mIOU"),
        (lambda: tuning_request(job(checkpoints="s3://bucket/kept")), "keep none"),
        (lambda: tuning_request(job(), max_jobs=0), "max_jobs"),
    ):
        with pytest.raises(SettingsError, match=words):
            call()


def test_a_transform_takes_and_gives_whole_files():
    request = transform_requests(MODEL, Transform(images="s3://bucket/photos", output="s3://bucket/masks"))[
        "create_transform_job"
    ]
    assert request["TransformInput"] == {
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/photos/"}},
        "ContentType": "image/jpeg",
        "CompressionType": "None",
        "SplitType": "None",
    }
    assert request["TransformOutput"]["Accept"] == "image/png"
    assert request["MaxPayloadInMB"] * request["MaxConcurrentTransforms"] <= 100
    with pytest.raises(SettingsError, match="at most 100"):
        Transform(images="s3://bucket/photos", output="s3://bucket/masks", max_payload_mb=60, max_concurrent=2)


def test_a_served_model_is_an_archive():
    with pytest.raises(SettingsError, match=r"model\.tar\.gz"):
        Model(name="a", image_uri="image:1", role=ROLE, data="s3://bucket/models/")


@pytest.mark.parametrize("name", ["image/tiff", "image/*", "application/x-image", "application/x-npy", "IMAGE/WEBP"])
def test_a_transform_takes_every_content_type_of_the_endpoint(name):
    transform = Transform(images="s3://bucket/photos", output="s3://bucket/masks", content_type=name)
    request = transform_requests(MODEL, transform)["create_transform_job"]
    assert request["TransformInput"]["ContentType"] == name


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"content_type": "text/csv"}, "--content-type: Content-Type is text/csv, expected image/jpeg"),
        ({"content_type": " "}, "--content-type: Content-Type is empty"),
        ({"accept": "nonsense"}, "--accept: Accept is nonsense, expected one of image/png, application/json"),
        ({"accept": "image/png; overlay=true; opacity=7"}, "--accept: opacity is 7"),
    ],
)
def test_a_transform_whose_images_the_endpoint_would_refuse_is_refused_before_it_is_paid_for(given, message):
    with pytest.raises(SettingsError, match=re.escape(message)) as caught:
        Transform(images="s3://bucket/photos", output="s3://bucket/masks", **given)
    assert "The endpoint would refuse every image." in str(caught.value)
