"""`pixelwise sagemaker launch`: prints by default, sends when told, against a local imitation of AWS."""

import json
import shlex
import sys

import pytest

ROLE = "arn:aws:iam::123456789012:role/SageMaker"
CONTAINER = ("--image-uri", "image:1", "--role", ROLE, "--name", "streets")
TRAIN = (
    *("sagemaker", "launch", "train", *CONTAINER, "--data", "s3://bucket/streets", "--output", "s3://bucket/models"),
    *("--hyperparameter", "num_classes=21", "--hyperparameter", "num_training_samples=1464"),
)
TUNE = (*TRAIN[:2], "tune", *TRAIN[3:])
MODEL = ("--model", "s3://bucket/models/streets/output/model.tar.gz")
ENDPOINT = ("sagemaker", "launch", "endpoint", *CONTAINER, *MODEL)
TRANSFORM = (
    *("sagemaker", "launch", "transform", *CONTAINER, *MODEL),
    *("--images", "s3://bucket/photos", "--output", "s3://bucket/masks"),
)
NO_ACCOUNT = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_REGION")


@pytest.fixture
def no_account(monkeypatch, tmp_path):
    """A machine without any AWS settings."""
    for name in (*NO_ACCOUNT, "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))


@pytest.fixture
def aws(no_account, monkeypatch):
    """An imitation of AWS in this process, and a client of its SageMaker."""
    moto, boto3 = pytest.importorskip("moto"), pytest.importorskip("boto3")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with moto.mock_aws():
        yield boto3.client("sagemaker")


def test_a_request_is_printed_and_nothing_is_sent(run, no_account):
    code, out, err = run(*TRAIN, "--spot", "--max-run", "90m", "--hyperparameter", "epochs=30")
    assert code == 0, err
    request = json.loads(out)["create_training_job"]
    assert request["TrainingJobName"] == "streets"
    assert request["HyperParameters"] == {"num_classes": "21", "num_training_samples": "1464", "epochs": "30"}
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 5400, "MaxWaitTimeInSeconds": 10800}
    assert "Nothing was sent" in err
    assert "--send" in err


def test_hyperparameters_come_from_a_file_and_flags_win(run, tmp_path):
    (tmp_path / "hp.json").write_text('{"num_classes": 3, "epochs": 5, "syncbn": true}')
    code, out, err = run(*TRAIN, "--hyperparameters", tmp_path / "hp.json")
    assert code == 0, err
    found = json.loads(out)["create_training_job"]["HyperParameters"]
    assert found == {"num_classes": "21", "epochs": "5", "syncbn": "True", "num_training_samples": "1464"}


def test_a_name_with_the_time_is_made_where_none_is_given(run):
    at = TUNE.index("--name")
    code, out, _err = run(*TUNE[:at], *TUNE[at + 2 :])
    assert code == 0
    assert json.loads(out)["create_hyper_parameter_tuning_job"]["HyperParameterTuningJobName"].startswith("pixelwise-")


def test_manifests_make_pipes(run):
    at = TRAIN.index("--data")
    data = ("--train-manifest", "s3://bucket/t.manifest", "--validation-manifest", "s3://bucket/v.manifest")
    code, out, err = run(*TRAIN[:at], *TRAIN[at + 2 :], *data, "--label", "street-ref")
    assert code == 0, err
    channels = json.loads(out)["create_training_job"]["InputDataConfig"]
    assert [channel["InputMode"] for channel in channels] == ["Pipe", "Pipe"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--hyperparameter", "epoch=3"), "epochs"),
        (("--hyperparameter", "epochs"), "NAME=VALUE"),
        (("--hyperparameters", "missing.json"), "missing.json"),
        (("--label", "street-ref", "--validation-manifest", "s3://bucket/v.manifest"), "--data and --train-manifest"),
        (("--hyperparameter", "epochs=3", "--hyperparameter", "epochs=4"), "once"),
        (("--channel", "train=s3://bucket/a"), "--data and --channel"),
        (("--max-run", "soon"), "90m"),
        (("--format", "sdk2", "--send"), "--send"),
        (("--input-mode", "Pipe"), "FastFile"),
    ],
)
def test_what_would_fail_is_refused_in_one_message(run, more, words):
    code, out, err = run(*TRAIN, *more)
    assert (code, out) == (2, "")
    assert words in err


def test_without_credentials_the_request_is_printed_and_the_message_says_what_is_missing(run, no_account):
    pytest.importorskip("boto3")
    code, out, err = run(*TRAIN, "--send")
    assert code == 2
    assert json.loads(out)["create_training_job"]["TrainingJobName"] == "streets"
    assert "--region" in err
    code, _out, err = run(*TRAIN, "--send", "--region", "eu-central-1")
    assert code == 2
    assert "AWS credentials" in err


def test_without_boto3_the_message_names_the_extra(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    code, out, err = run(*TRAIN, "--send")
    assert code == 2
    assert json.loads(out)
    assert 'pip install "pixelwise[sagemaker]"' in err


def test_a_training_job_starts(run, aws):
    code, out, err = run(*TRAIN, "--spot", "--send")
    assert code == 0, err
    assert out.strip().endswith("training-job/streets")
    job = aws.describe_training_job(TrainingJobName="streets")
    assert job["HyperParameters"]["num_classes"] == "21"
    assert job["CheckpointConfig"]["S3Uri"] == "s3://bucket/models/streets/checkpoints/"
    assert job["StoppingCondition"]["MaxWaitTimeInSeconds"] == 172800


def test_a_tuning_starts(run, aws):
    code, out, err = run(*TUNE, "--range", "learning_rate", "--max-jobs", "4", "--send")
    assert code == 0, err
    assert out.strip().endswith("/streets")
    tuning = aws.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="streets")
    config = tuning["HyperParameterTuningJobConfig"]
    assert config["ResourceLimits"] == {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 2}
    assert [each["Name"] for each in config["ParameterRanges"]["ContinuousParameterRanges"]] == ["learning_rate"]


def test_an_endpoint_starts(run, aws):
    code, out, err = run(*ENDPOINT, "--instance-type", "ml.g4dn.xlarge", "--send")
    assert code == 0, err
    assert [arn.split(":")[5] for arn in out.split()] == [
        "model/streets",
        "endpoint-config/streets",
        "endpoint/streets",
    ]
    endpoint = aws.describe_endpoint(EndpointName="streets")
    assert endpoint["EndpointConfigName"] == "streets"
    variant = aws.describe_endpoint_config(EndpointConfigName="streets")["ProductionVariants"][0]
    assert (variant["ModelName"], variant["InstanceType"]) == ("streets", "ml.g4dn.xlarge")


def test_a_batch_transform_starts(run, aws):
    code, _out, err = run(*TRANSFORM, "--send")
    assert code == 0, err
    job = aws.describe_transform_job(TransformJobName="streets")
    assert job["TransformInput"]["ContentType"] == "image/jpeg"
    assert job["TransformOutput"]["Accept"] == "image/png"


def test_a_refusal_of_aws_is_told_with_what_was_made_before(run, aws):
    code, _out, err = run(*ENDPOINT, "--instance-type", "ml.nothing.small", "--send")
    assert code == 1
    assert "AWS refused" in err
    assert "model/streets" in err
    assert aws.describe_model(ModelName="streets")["PrimaryContainer"]["Image"] == "image:1"
    assert aws.list_endpoint_configs()["EndpointConfigs"] == []


def test_a_machine_without_network_is_told_so(run, aws, monkeypatch):
    exceptions = pytest.importorskip("botocore.exceptions")

    def unreachable(*_arguments, **_options):
        raise exceptions.EndpointConnectionError(endpoint_url="https://aws.example")

    monkeypatch.setattr("boto3.client", unreachable)
    code, out, err = run(*TRAIN, "--send")
    assert code == 1
    assert json.loads(out)
    assert "Nothing was made" in err
    assert "https://aws.example" in err


@pytest.mark.parametrize("words", [(), ("train",), ("tune",), ("endpoint",), ("transform",)])
def test_each_has_help_with_an_example(run, words):
    code, out, _err = run("sagemaker", "launch", *words, "--help")
    assert code == 0
    example = out.split("Example: pixelwise ")[1]
    assert example.startswith(f"sagemaker launch {words[0] if words else 'train'}")
    code, _out, err = run(*shlex.split(example))
    assert code == 0, err


def test_a_wrong_flag_is_answered_with_the_nearest(run):
    code, _out, err = run(*TRAIN, "--instance-typ", "ml.g5.xlarge")
    assert code == 2
    assert "--instance-type" in err


def test_printing_needs_no_package_of_aws(run, monkeypatch):
    for name in ("boto3", "botocore", "sagemaker"):
        monkeypatch.setitem(sys.modules, name, None)
    for command in (TRAIN, TUNE, ENDPOINT, TRANSFORM, (*TRAIN, "--format", "sdk2"), (*TRAIN, "--format", "sdk3")):
        code, out, err = run(*command)
        assert code == 0, err
        assert out
