"""The SDKs get the same job: against recording stand-ins here, against the real ones where they are installed."""

import sys
from types import ModuleType, SimpleNamespace
from unittest.mock import MagicMock

import pytest
from test_launch_requests import ROLE, job

from pixelwise.errors import SettingsError
from pixelwise.sagemaker.launch.calls import Call, made, source
from pixelwise.sagemaker.launch.inputs import folder_inputs, manifest_inputs, model_input
from pixelwise.sagemaker.launch.job import training_request
from pixelwise.sagemaker.launch.sdk2 import estimator, estimator_script
from pixelwise.sagemaker.launch.sdk3 import model_trainer, trainer_script

FOLDERS = folder_inputs("s3://bucket/streets", label_map=True)
MANIFESTS = manifest_inputs("s3://bucket/t.manifest", "s3://bucket/v.manifest", "street-ref")
JOBS = [
    {"inputs": FOLDERS, "spot": True, "max_run": 3600},
    {"inputs": (*MANIFESTS, model_input("s3://bucket/old/model.tar.gz")), "is_isolated": True},
]
V3_CLASSES = "Channel CheckpointConfig Compute DataSource InputData MetricDefinition Networking OutputDataConfig"


class Recorded(SimpleNamespace):
    """An object that knows what it was made with and, in `calls`, what was called on it."""

    made: list  # all of a class

    def __init__(self, **arguments):
        super().__init__(**arguments, calls={})
        type(self).made.append(self)

    def fit(self, inputs, **options):
        self.calls["fit"] = (inputs, options)

    def train(self, **options):
        self.calls["train"] = options

    def with_metric_definitions(self, definitions):
        self.calls["metrics"] = definitions
        return self

    def with_checkpoint_config(self, config):
        self.calls["checkpoints"] = config
        return self


def stand_in(monkeypatch, module: str, names: str) -> dict[str, type]:
    """A module of the SDK with recording classes, importable by its name."""
    parts = module.split(".")
    for length in range(1, len(parts) + 1):
        name = ".".join(parts[:length])
        if name not in sys.modules or length == len(parts):
            monkeypatch.setitem(sys.modules, name, ModuleType(name))
    classes = {name: type(name, (Recorded,), {"made": []}) for name in names.split()}
    vars(sys.modules[module]).update(classes)
    return classes


def test_source_of_a_call_gives_the_same_when_it_runs():
    value = Call("Row", {"a": [1, True, None], "b": {"x": Call("Row", {"text": 'a "b"\\S\n'})}, "c": {}, "d": []})
    classes = {"Row": lambda **arguments: ("row", arguments)}
    assert eval(source(value), dict(classes)) == made(value, classes)


@pytest.mark.parametrize("changes", JOBS)
def test_the_program_for_version_2_launches_the_job(changes, monkeypatch):
    estimators = stand_in(monkeypatch, "sagemaker.estimator", "Estimator")
    stand_in(monkeypatch, "sagemaker.inputs", "TrainingInput")
    this = job(**changes)
    exec(compile(estimator_script(this), "program", "exec"), {})
    (found,) = estimators["Estimator"].made
    inputs, options = found.calls["fit"]
    assert options == {"job_name": "streets", "wait": False}
    assert {name: each.s3_data for name, each in inputs.items()} == {each.name: each.uri for each in this.inputs}
    assert (found.image_uri, found.role, found.instance_count) == ("image:1", ROLE, 1)
    assert found.hyperparameters["syncbn"] == "True"
    assert found.use_spot_instances is this.spot
    assert getattr(found, "max_wait", None) == this.wait_seconds
    assert getattr(found, "checkpoint_s3_uri", None) == this.checkpoint_uri


@pytest.mark.parametrize("changes", JOBS)
def test_the_program_for_version_3_launches_the_job(changes, monkeypatch):
    trainers = stand_in(monkeypatch, "sagemaker.train", "ModelTrainer")
    stand_in(monkeypatch, "sagemaker.core.training.configs", f"{V3_CLASSES} S3DataSource StoppingCondition")
    this = job(**changes)
    exec(compile(trainer_script(this), "program", "exec"), {})
    (found,) = trainers["ModelTrainer"].made
    assert [each.channel_name for each in found.calls["train"]["input_data_config"]] == [
        each.name for each in this.inputs
    ]
    assert found.compute.volume_size_in_gb == 50  # left out, it would be 30
    assert found.stopping_condition.max_runtime_in_seconds == this.max_run  # left out, an hour
    assert all(isinstance(text, str) for text in found.hyperparameters.values())
    assert ("checkpoints" in found.calls) is this.spot
    assert [each.name for each in found.calls["metrics"]][:2] == ["train:loss", "validation:mIOU"]


def test_a_missing_sdk_is_an_error_that_says_which_version(monkeypatch):
    monkeypatch.setitem(sys.modules, "sagemaker", None)
    with pytest.raises(SettingsError, match="sagemaker<3"):
        estimator(job())
    with pytest.raises(SettingsError, match="sagemaker>=3"):
        model_trainer(job())


def account() -> tuple[MagicMock, dict]:
    """A session of boto3 that reaches nobody, and what comes with it for an SDK's session."""
    boto3 = pytest.importorskip("boto3")
    session = boto3.Session(region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    client = MagicMock()
    client.create_training_job.return_value = {"TrainingJobArn": "arn"}
    return client, {"boto_session": session, "sagemaker_client": client}


def without(request: dict, *names: str) -> dict:
    return {name: value for name, value in request.items() if name not in names and value is not False}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("changes", JOBS)
def test_version_2_of_the_sdk_sends_our_request(changes):
    pytest.importorskip("sagemaker.estimator", exc_type=ImportError)
    import sagemaker

    client, options = account()
    found, inputs = estimator(job(**changes), sagemaker.Session(**options))
    found.fit(inputs, job_name="streets", wait=False)
    sent = client.create_training_job.call_args.kwargs
    # The profiler is switched off in so many words; everything else is what we would send.
    assert without(sent, "ProfilerConfig") == without(training_request(job(**changes)))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("changes", JOBS)
def test_version_3_of_the_sdk_sends_our_request(changes, monkeypatch):
    pytest.importorskip("sagemaker.train", exc_type=ImportError)
    from sagemaker.core.helper.session_helper import Session
    from sagemaker.train.defaults import TrainDefaults

    # It asks IAM whether the role may do what a job needs.
    monkeypatch.setattr(TrainDefaults, "get_role", staticmethod(lambda role=None, **_others: role))
    found, inputs = model_trainer(job(**changes), Session(**account()[1]))
    sent = found._create_training_job_args(input_data_config=inputs, boto3=True)
    assert sent["TrainingJobName"].startswith("streets-")
    assert sent["OutputDataConfig"].pop("CompressionType") == "GZIP"  # the service's default
    named = without(sent, "TrainingJobName")
    assert named == without(training_request(job(**changes)), "TrainingJobName")
