"""root.py: what the platform writes below /opt/ml is read, and what somebody wrote there by hand."""

import json

import pytest

from pixelwise.errors import SettingsError
from pixelwise.sagemaker.hyperparameters.parse import parse
from pixelwise.sagemaker.root import CONTAINER_ROOT, Resources, Root, read_hyperparameters, read_json, read_resources


@pytest.fixture
def root(tmp_path):
    root = Root(tmp_path / "job")
    root.config.mkdir(parents=True)
    return root


def write(root, name, content):
    (root.config / name).write_text(content if isinstance(content, str) else json.dumps(content))


def test_the_folders_are_those_of_the_platform():
    root = Root(CONTAINER_ROOT)
    found = [str(path) for path in (root.config, root.data, root.model, root.extras, root.failure, root.checkpoints)]
    assert found == [
        "/opt/ml/input/config",
        "/opt/ml/input/data",
        "/opt/ml/model",
        "/opt/ml/output/data",
        "/opt/ml/output/failure",
        "/opt/ml/checkpoints",
    ]


# hyperparameters.json


def test_texts_are_kept_as_the_sdk_sent_them(root):
    sent = {"epochs": "10", "syncbn": "True", "optimizer": '"sgd"', "lr_scheduler_step": "10, 20"}
    write(root, "hyperparameters.json", sent)
    assert read_hyperparameters(root) == sent


def test_numbers_booleans_and_lists_of_a_file_by_hand_become_texts(root):
    by_hand = '{"num_classes": 21, "learning_rate": 0.5, "syncbn": true, "lr_scheduler_step": [10, 20], "epochs": null}'
    write(root, "hyperparameters.json", by_hand)
    assert read_hyperparameters(root) == {
        "num_classes": "21",
        "learning_rate": "0.5",
        "syncbn": "true",
        "lr_scheduler_step": "[10, 20]",
        "epochs": "null",
    }


def test_a_file_by_hand_means_the_same_as_that_of_an_sdk(root):
    required = {"num_classes": 2, "num_training_samples": 8}
    write(root, "hyperparameters.json", {**required, "lr_scheduler": "step", "lr_scheduler_step": [3, 7], "epochs": 9})
    by_hand = parse(read_hyperparameters(root))
    sent = {"num_classes": "2", "num_training_samples": "8", "lr_scheduler": "step", "lr_scheduler_step": "3,7"}
    write(root, "hyperparameters.json", {**sent, "epochs": "9"})
    assert by_hand == parse(read_hyperparameters(root))


def test_without_the_file_there_are_no_hyperparameters(root, tmp_path):
    assert read_hyperparameters(root) == {}
    assert read_hyperparameters(Root(tmp_path / "nowhere")) == {}


def test_a_byte_order_mark_is_passed_over(root):
    (root.config / "hyperparameters.json").write_bytes(b'\xef\xbb\xbf{"epochs": "2"}')
    assert read_hyperparameters(root) == {"epochs": "2"}


@pytest.mark.parametrize("content", ["", "{", '{"epochs": }', "epochs=10", "[" * 100_000])
def test_broken_json_is_refused_with_the_file(root, content):
    write(root, "hyperparameters.json", content)
    with pytest.raises(SettingsError, match=r"config/hyperparameters\.json: cannot be read as JSON .*an object"):
        read_hyperparameters(root)


def test_bytes_that_are_no_text_and_folders_are_refused(root):
    (root.config / "hyperparameters.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match=r"hyperparameters\.json: cannot be read as JSON"):
        read_hyperparameters(root)
    (root.config / "resourceconfig.json").mkdir()
    with pytest.raises(SettingsError, match=r"resourceconfig\.json: cannot be read as JSON"):
        read_resources(root)


@pytest.mark.parametrize(
    ("content", "kind"), [("[]", "list"), ('"epochs"', "str"), ("10", "int"), ("null", "NoneType")]
)
def test_json_that_is_no_object_is_refused(root, content, kind):
    write(root, "hyperparameters.json", content)
    with pytest.raises(SettingsError, match=rf"hyperparameters\.json: holds {kind}, expected an object\."):
        read_json(root.config / "hyperparameters.json")


def test_an_object_as_value_is_refused_by_its_name(root):
    write(root, "hyperparameters.json", {"epochs": "2", "backbone": {"name": "resnet-50"}})
    with pytest.raises(SettingsError, match=r"hyperparameters\.json: 'backbone' is an object, expected a text"):
        read_hyperparameters(root)


# resourceconfig.json


def test_without_the_file_this_is_the_only_machine(root):
    resources = read_resources(root)
    assert resources == Resources("algo-1", ("algo-1",), None)
    assert resources.position == 0


def test_the_machines_of_a_job_are_read_and_newer_keys_passed_over(root):
    write(
        root,
        "resourceconfig.json",
        {
            "current_host": "algo-2",
            "current_instance_type": "ml.g5.xlarge",
            "current_group_name": "homogeneousCluster",
            "hosts": ["algo-1", "algo-2", "algo-3"],
            "instance_groups": [{"instance_group_name": "homogeneousCluster", "hosts": ["algo-1"]}],
            "network_interface_name": "eth0",
        },
    )
    resources = read_resources(root)
    assert resources == Resources("algo-2", ("algo-1", "algo-2", "algo-3"), "eth0")
    assert resources.position == 1


def test_a_host_alone_is_all_hosts(root):
    write(root, "resourceconfig.json", {"current_host": "algo-1-x7k"})
    assert read_resources(root) == Resources("algo-1-x7k", ("algo-1-x7k",), None)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (
            {"current_host": "algo-3", "hosts": ["algo-1", "algo-2"]},
            r"\['algo-1', 'algo-2'\] and current_host 'algo-3'",
        ),
        ({"current_host": "algo-1", "hosts": []}, r"hosts is \[\] and current_host 'algo-1'"),
        ({"current_host": "algo-1", "hosts": "algo-1"}, "hosts is 'algo-1'"),
        ({"current_host": "algo-1", "hosts": None}, "hosts is None"),
        ({"hosts": ["a", "b"]}, "current_host 'algo-1'"),
    ],
)
def test_machines_that_do_not_fit_together_are_refused(root, content, found):
    write(root, "resourceconfig.json", content)
    with pytest.raises(SettingsError, match=rf"resourceconfig\.json: .*{found}.* expected a list that contains it\."):
        read_resources(root)
