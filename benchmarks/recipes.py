"""Pixelwise's default command beside other recipes: mean IoU after equal seconds of processor time.

    python benchmarks/recipes.py SET [SET ...] --seconds N [--backbone NAME --backbone-weights FILE] [--output DIR]

Trained are Pixelwise's default (`planned`), the same with `--plan fixed` (`fixed`), a plain U-Net of
segmentation_models.pytorch (`smp`) and torchvision's reference recipe (`torchvision`), all from random weights. With
the weights of a backbone Pixelwise and smp start from those, and torchvision, which cannot, is left out.

A tool's N seconds are N times its threads of processor time from the start of its process, so that other work on the
machine does not decide; `--clock wall` takes seconds of the wall, which needs a quiet machine. One thread (`--threads
1`) never waits for another by spinning, which processor time would count. Pixelwise's seconds hold its check,
its validations and its report, the peers' their training alone. What they predict for the split is scored by
`pixelwise score`, whose 95 % interval over the images stands behind each seed's mean IoU.

Finished trainings are lines of DIR/results.jsonl and are not done again: a benchmark that was killed goes on. Runs and
masks lie in DIR/SET/TOOL-SEED, those of the last conditions asked for.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from machine import facts

PIXELWISE = Path(sys.executable).with_name("pixelwise")
PEERS = Path(__file__).with_name("peers")
OURS = ("planned", "fixed")
TOOLS = (*OURS, "smp", "torchvision")


@dataclass(frozen=True)
class Job:
    """One training; a result counts for the job that is equal in everything."""

    dataset: str
    tool: str
    seed: int
    seconds: float
    clock: str
    threads: int
    split: str
    backbone: str | None
    weights: str | None

    @property
    def name(self):
        return f"{Path(self.dataset).name} {self.tool} seed {self.seed}"


class Commands:
    """Commands of one job, in its folder: what they say of themselves goes to log.txt."""

    def __init__(self, job, folder):
        self.job, self.folder = job, folder
        shutil.rmtree(folder, ignore_errors=True)  # of a benchmark that was killed
        folder.mkdir(parents=True)

    def output_of(self, *command):
        """Standard output of a command."""
        environment = {**os.environ, "OMP_NUM_THREADS": str(self.job.threads)}
        with (self.folder / "log.txt").open("a", encoding="utf-8") as log:
            command = [str(part) for part in command]
            print("$", *command, file=log, flush=True)
            piped = {"stdout": subprocess.PIPE, "stderr": log, "text": True}
            return subprocess.run(command, check=True, env=environment, **piped).stdout

    def last_line_of(self, script, *arguments):
        """The JSON that a peer ends with."""
        return json.loads(self.output_of(sys.executable, PEERS / script, *arguments).splitlines()[-1])


def folder_of(job, folder):
    return folder / Path(job.dataset).name / f"{job.tool}-{job.seed}"


def train_ours(job, commands, masks):
    """Train and predict by Pixelwise; what is known of the training."""
    run = commands.folder / "run"
    options = ["--plan", "fixed"] if job.tool == "fixed" else []
    if job.backbone:
        options += ["--backbone", job.backbone, "--backbone-weights", job.weights]
    else:
        options += ["--no-pretrained"]
    training = ("train", job.dataset, "--output", run, "--seed", job.seed, "--quiet", *options)
    found = commands.last_line_of("pixelwise_on_clock.py", job.clock, job.seconds, *training)
    state = torch.load(run / "checkpoints" / "last.pt", "cpu", weights_only=True)["state"]
    commands.output_of(PIXELWISE, "predict", run / "model", Path(job.dataset) / job.split, "--output", masks)
    return {"steps": state["updates"], "epochs": state["epoch"], **found}


def train_peer(job, commands, masks):
    """Train and predict by a peer; what is known of the training."""
    # By processor time a peer loads its images in its own process, whose clock would not see others.
    options = ["--seconds", job.seconds, "--clock", job.clock, "--workers", 0 if job.clock == "cpu" else job.threads]
    options += ["--seed", job.seed, "--split", job.split]
    if job.tool == "torchvision":
        return commands.last_line_of("torchvision_reference.py", job.dataset, "--masks", masks, *options)
    if job.backbone:
        options += ["--encoder", f"tu-{job.backbone}", "--encoder-weights", job.weights]
    return commands.last_line_of("smp_unet.py", job.dataset, masks, *options)


def result_of(job, folder):
    """Train, predict and score: the line of results.jsonl."""
    commands = Commands(job, folder_of(job, folder))
    masks = commands.folder / "masks"
    begin = time.perf_counter()
    found = (train_ours if job.tool in OURS else train_peer)(job, commands, masks)
    found = {name: found[name] for name in ("steps", "epochs", "seconds", "tensors_loaded") if name in found}
    found["wall_seconds"] = time.perf_counter() - begin
    truth = Path(job.dataset) / f"{job.split}_annotation"
    scores = json.loads(commands.output_of(PIXELWISE, "score", truth, masks, "--json"))
    interval = scores["intervals"]["mean_iou"]
    return {"job": asdict(job), "mean_iou": scores["mean_iou"], "interval": interval, **found}


def run_all(jobs, folder, at_once):
    """Results of the jobs, old and new, and the names of those that failed."""
    file = folder / "results.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    done = [result for result in map(json.loads, lines) if Job(**result["job"]) in jobs]
    finished, failed = {Job(**result["job"]) for result in done}, []
    with ThreadPoolExecutor(at_once) as pool:
        running = {pool.submit(result_of, job, folder): job for job in jobs if job not in finished}
        for future in as_completed(running):
            job = running[future]
            try:
                result = future.result()
            except (subprocess.CalledProcessError, OSError) as error:
                reason = f"exit code {error.returncode}" if hasattr(error, "returncode") else error
                print(f"{job.name} failed: {reason}; its log is {folder_of(job, folder) / 'log.txt'}", flush=True)
                failed.append(job.name)
                continue
            done.append(result)
            with file.open("a", encoding="utf-8") as out:
                out.write(json.dumps(result) + "\n")
            print(f"{job.name}: mean IoU {result['mean_iou']:.4f}", flush=True)
    return sorted(done, key=lambda result: result["job"]["seed"]), failed


def mean_of(results, name):
    return statistics.mean(result[name] for result in results)


def seed_text(result):
    ends = "" if result["interval"] is None else " [{:.3f} {:.3f}]".format(*result["interval"])
    return f"{result['mean_iou']:.3f}{ends}"


def print_table(dataset, results):
    """The table of one set; by tool, the mean over the seeds of the mean IoU."""
    means = {}
    print(f"\n{dataset:<15} {'mean IoU':>8} {'s.e.':>7} {'steps':>7} {'epochs':>7} {'seconds':>8}  each seed")
    for tool in TOOLS:
        own = [result for result in results if result["job"]["tool"] == tool]
        if not own:
            continue
        means[tool] = mean_of(own, "mean_iou")
        spread = statistics.stdev(result["mean_iou"] for result in own) if len(own) > 1 else None
        error = "-" if spread is None else f"{spread / len(own) ** 0.5:.4f}"
        work = f"{mean_of(own, 'steps'):7.0f} {mean_of(own, 'epochs'):7.1f} {mean_of(own, 'seconds'):8.1f}"
        print(f"{tool:<15} {means[tool]:8.4f} {error:>7} {work}  {'  '.join(map(seed_text, own))}")
    return means


def summary(means):
    """Of how many sets our default is first, how far behind it is at worst, and what it gains on `fixed`."""
    gaps = {  # points by which it leads on the best of the others
        dataset: 100 * (tools["planned"] - max(value for tool, value in tools.items() if tool != "planned"))
        for dataset, tools in means.items()
        if "planned" in tools and len(tools) > 1
    }
    gains = [100 * (tools["planned"] - tools["fixed"]) for tools in means.values() if {*OURS} <= tools.keys()]
    found = {"sets": len(gaps), "first": sum(gap > 0 for gap in gaps.values())}
    if gaps:
        found["worst_set"] = min(gaps, key=gaps.get)
        found["behind_at_worst"] = max(0.0, -gaps[found["worst_set"]])
    if gains:
        found["gain_on_fixed"] = statistics.mean(gains)
    return found


def print_summary(found):
    print()
    if not found["sets"]:
        print("No set has a result of planned and one of another tool: nothing is compared.")
        return
    worst = f"at worst {found['behind_at_worst']:.1f} points behind the best of the others, on {found['worst_set']}"
    print(f"planned is first on {found['first']} of {found['sets']} sets; {worst}")
    if "gain_on_fixed" in found:
        print(f"planned is {found['gain_on_fixed']:+.1f} points of mean IoU on fixed, in the mean over the sets")


def parsed():
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="+", type=Path, metavar="SET")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--clock", choices=("cpu", "wall"), default="cpu")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--tools", choices=TOOLS, nargs="+", help="default: all that can start from the weights")
    parser.add_argument("--backbone", help="timm's name of the trunk of --backbone-weights")
    parser.add_argument("--backbone-weights", type=Path)
    parser.add_argument("--split", default="validation", help="what is predicted and scored")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at once")
    parser.add_argument("--threads", type=int, help="of each training; default: the cores divided by --jobs")
    parser.add_argument("--output", type=Path, help="keep runs, masks and results in this folder")
    parser.add_argument("--json", type=Path, help="write the results and the summary into this file")
    given = parser.parse_args()
    if (given.backbone is None) != (given.backbone_weights is None):
        parser.error("--backbone and --backbone-weights belong together")
    if given.backbone and "torchvision" in (given.tools or ()):
        parser.error("torchvision's recipe cannot start from --backbone-weights")
    if len({path.name for path in given.sets}) < len(given.sets):
        parser.error("two sets have one name; the output needs a folder for each")
    given.tools = given.tools or (TOOLS[:-1] if given.backbone else TOOLS)
    given.threads = given.threads or max(1, cores // given.jobs)
    return given


def jobs_of(given):
    """Seed by seed, so that what is there after a while holds all sets and tools."""
    how = (given.seconds, given.clock, given.threads, given.split, given.backbone)
    weights = str(given.backbone_weights.resolve()) if given.backbone else None
    sets = [str(path.resolve()) for path in given.sets]
    return [Job(path, tool, seed, *how, weights) for seed in given.seeds for path in sets for tool in given.tools]


def main():
    given = parsed()
    torch.set_num_threads(given.threads)  # for the line that says what a training has
    machine, jobs = facts(), jobs_of(given)
    print(f"{machine}; {given.seconds:g} s by the clock {given.clock}, {given.split} scored", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.output or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        results, failed = run_all(jobs, folder, given.jobs)
    of_set = {path.name: [r for r in results if Path(r["job"]["dataset"]).name == path.name] for path in given.sets}
    found = summary({dataset: print_table(dataset, of) for dataset, of in of_set.items()})
    print_summary(found)
    if given.json:
        content = {"machine": machine, "results": results, "summary": found, "failed": failed}
        given.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    if failed:
        sys.exit(f"{len(failed)} trainings failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
