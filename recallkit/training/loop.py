"""A whole training: load the data, train, evaluate, and fill the run folder."""

import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from recallkit.config import Config
from recallkit.data import BENCHMARKS, load
from recallkit.data.image_set import ImageSet, Splits
from recallkit.data.prefetch import Reading
from recallkit.errors import RecallkitError
from recallkit.evaluation.embedding import (
    embed,
    embed_features,
    evaluate,
    evaluate_features,
    evaluate_pixels,
    measure_embeddings,
)
from recallkit.evaluation.protocols import gallery_sizes
from recallkit.evaluation.remarks import OF_UNIT_VECTORS
from recallkit.evaluation.result import Evaluation, evaluation_of
from recallkit.files import write_json
from recallkit.ranges import SettingError
from recallkit.training.checkpoint import remove_states
from recallkit.training.claim import claimed
from recallkit.training.data_card import measured_on_card
from recallkit.training.distributed import Processes, joined
from recallkit.training.environment import (
    choose_device,
    environment,
    keep_freed_memory,
    peak_memory,
)
from recallkit.training.frozen_features import feature_splits, without_unreadable
from recallkit.training.progress import announce
from recallkit.training.run_folder import (
    begin_run,
    check_classes_left,
    check_new,
    load_data_of_run,
    reading_of_run,
    resume_run,
    store_data_of_run,
    write_weights,
)
from recallkit.training.session import SAVE_SECONDS, Session, SessionOptions
from recallkit.training.stopping import stop_request
from recallkit.training.trainer import Training

OnTest = Callable[[ImageSet, Tensor], object]  # test images and their embeddings (N, D)


def train(
    config: Config,
    folder: Path,
    *,
    splits: Splits | None = None,
    device: str = "auto",
    resume: bool = False,
    progress: bool = True,
    reading: Reading | None = None,
    tensorboard: bool = False,
    save_seconds: float = SAVE_SECONDS,
    baselines: bool = True,
    on_test: OnTest | None = None,
) -> dict[str, Any]:
    """Train, evaluate, and fill the run folder.

    Several processes started by ``torchrun`` share each batch, and the first one writes. The
    process keeps the memory that it frees, which makes a step faster on a CPU.

    Args:
        config: all settings.
        folder: of the run; see :mod:`recallkit.training.run_folder`.
        splits: the data. None: ``load(config.dataset)``, and for a run that is resumed
            ``load_data_of_run(folder)``. Without test images the result has no metrics of them.
        device: "auto" takes a GPU if there is one.
        resume: continue the run in ``folder``; its config must be ``config``.
        progress: show a bar with images a second, time left, loss, R@1 and peak memory; where the
            output goes to a file, a line an evaluation.
        reading: how image files are read: number of workers, and what to do with unreadable ones.
            The result's "skipped" names those. None: in memory, and an unreadable one is an error,
            or what it was in the run that is resumed.
        tensorboard: also log for TensorBoard, if it is installed.
        save_seconds: save the state when the last save is that many seconds ago. It is also saved
            at each evaluation. Default 300: a crash costs five minutes at most.
        baselines: also evaluate the test images by their pixels, by the untrained network and, if
            the backbone is pretrained or frozen, by its features. Sweeps compare trained networks
            and do not. What the data card of the data set has measured on exactly these images, and
            this untrained network, is taken from there.
        on_test: called once at the end, in the first process, with the test images and their
            embeddings (N, D) by the trained network, so that nobody has to embed them again.

    Returns:
        What ``result.json`` holds: config; metrics on the test images for pixels, features,
        untrained and trained network, and in "measured" over how many queries they are means; the
        history on validation classes; steps and images seen; seconds and memory; "class_sizes",
        number of images → number of training classes that have so many; the environment.
        Of several processes only the first one has metrics of the test images.

    Raises:
        RecallkitError: if the folder cannot be written, holds another run, or another process
            trains in it; if a run is resumed without any of its classes. Nothing is left in it if
            data or network cannot be had.
        BadImageError: if an image file cannot be read; the state before that step is saved.
        Diverged: if the loss or the gradient is not finite; the state before that step is saved,
            and ``diverged.json`` names its images.
        Stopped: on Ctrl-C or SIGTERM, after the step is done and the state is saved.
    """
    folder = Path(folder)
    reading = reading_of_run(folder if resume else None) if reading is None else reading
    with joined() as processes, ExitStack() as claims:
        _in_the_first(processes, lambda: _claim(folder, config, resume, claims))
        shown = progress and processes.first
        session = SessionOptions(resume, shown, reading, tensorboard, save_seconds)
        options = _Options(session, baselines, on_test)
        chosen = choose_device(device, processes.local_rank)
        keep_freed_memory()
        if splits is None:
            _check_root(config)
            announce(f"loading the images of {config.dataset}", shown)
            splits = (
                load_data_of_run(folder, reading=reading)
                if resume
                else load(config.dataset, config.image_size, config.root, reading)
            )
        if splits.source:
            announce(splits.describe(), shown)
        if resume:
            check_classes_left(folder, splits)
        return _train(config, folder, splits, chosen, processes, options)


def _check_root(config: Config) -> None:
    if config.root and config.dataset not in BENCHMARKS:
        raise SettingError(
            "root",
            f"has no effect with the data set {config.dataset}: it is for {', '.join(BENCHMARKS)}",
        )


@dataclass(frozen=True)
class _Options:
    session: SessionOptions
    baselines: bool
    on_test: OnTest | None


def _train(
    config: Config,
    folder: Path,
    splits: Splits,
    device: torch.device,
    processes: Processes,
    options: _Options,
) -> dict[str, Any]:
    shown = options.session.progress
    splits = without_unreadable(splits) if config.frozen else splits
    _check_measurable(splits, splits.source or config.dataset)
    inputs = _features(config, splits, device, processes, shown) if config.frozen else splits
    announce(f"building the network {config.network}", shown)
    with warnings.catch_warnings():
        if shown:  # the line before the first step says it
            warnings.filterwarnings("ignore", "a batch of .* cannot be filled")
        images = _of_classes(inputs.train, config.classes)
        training = Training(config, images, device, processes, options.session.reading)
    _in_the_first(processes, lambda: _begin(folder, config, splits, options.session))
    test = {}
    if options.baselines and processes.first and len(splits.test):
        test = _evaluate_baselines(training, splits.test, inputs.test, shown)
    session = Session(training, inputs.validation, folder, options.session, inputs.train)
    announce(_length(training), shown)
    with stop_request() as stop_requested:
        session.run(stop_requested)
    result = _result(session, test)
    if processes.first:
        _finish(session, splits.test, inputs.test, result, options.on_test)
    return result


def _check_measurable(splits: Splits, source: str) -> None:
    """Refuse images that no evaluation could measure, before the hours that a training takes."""
    for part in ("validation", "test"):
        images = splits.part(part)
        if len(images) and not images.can_be_measured():
            wanted = "a second image"
            wanted += " of another group" if images.groups is not None else ""
            wanted += " that is no query" if images.protocol.searches else ""
            raise RecallkitError(
                f"{source}: no query of the {part} images has an image to find. Give one of their "
                f"classes {wanted}."
            )


def _of_classes(images: ImageSet, count: int) -> ImageSet:
    """Choose the images that are trained on; 0 classes stands for all."""
    if count > (known := len(images.labels.unique())):
        raise SettingError("classes", f"must be at most {known}, the training classes, not {count}")
    return images.of_some_classes(count) if count else images


def _length(training: Training) -> str:
    """Say how long the training is, and why its batches are smaller than the settings say."""
    text = f"training: {training.steps} steps of {training.batch_size} images"
    config, classes = training.config, len(training.labels.unique())
    if training.batch_size == config.batch_size:
        return text
    return (
        f"{text}, not {config.batch_size}: {classes} classes give no more at {config.per_class} "
        f"a class"
    )


def _claim(folder: Path, config: Config, resume: bool, claims: ExitStack) -> None:
    """Keep the run folder to this process, and refuse one that does not fit."""
    claims.enter_context(claimed(folder, resume))
    if resume:
        resume_run(folder, config)
    else:
        check_new(folder)


def _begin(folder: Path, config: Config, splits: Splits, options: SessionOptions) -> None:
    """Write into the run folder; not before data and network are there and fit together."""
    if not options.resume:
        begin_run(folder, config)
    store_data_of_run(folder, config, splits, options.reading)


def _in_the_first(processes: Processes, act: Callable[[], None]) -> None:
    """Act in the first process; all processes raise if it cannot."""
    problem = None
    if processes.first:
        try:
            act()
        except RecallkitError as error:
            problem = error
    if processes.any(problem is not None)[0]:
        raise problem or RecallkitError("the first process could not begin; see its message")


def _features(
    config: Config, splits: Splits, device: torch.device, processes: Processes, shown: bool
) -> Splits:
    """Return features of the images; the first process computes them, the others read the cache."""
    if not processes.first:
        processes.any(False)
    announce(f"features of {config.network}: reading the cache, or computing them", shown)
    features = feature_splits(config, splits, device, shown)
    if processes.first:
        processes.any(False)
    return features


def _evaluate_baselines(
    training: Training, images: ImageSet, inputs: ImageSet, shown: bool
) -> dict[str, dict[str, float]]:
    """Return metrics on the test images without any training: measured, or from the data card.

    Args:
        training: before its first step.
        images: the test images.
        inputs: what the trained part of the network takes: these images, or their features.
        shown: announce each evaluation.
    """
    config, network = training.config, training.trained
    metrics = measured_on_card(config.dataset, images, config.image_size, network)
    if metrics:
        rows = " and ".join(metrics)
        announce(f"evaluating test images: {rows} from the data card", shown)
    if "pixels" not in metrics:
        announce("evaluating test images: pixels", shown)
        metrics["pixels"] = evaluate_pixels(images, config.image_size)
    if config.frozen or config.pretrained or config.weights:
        announce("evaluating test images: features", shown)
        if not config.frozen:  # computed once for both rows
            inputs = embed_features(training.network, images, config.image_size)
            network = training.network.head
        metrics["features"] = evaluate_features(inputs)
    if "untrained" not in metrics:
        announce("evaluating test images: untrained network", shown)
        metrics["untrained"] = evaluate(network, inputs, config.image_size)
    return metrics


def _result(session: Session, test: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Return what ``result.json`` holds; all processes call it together."""
    training, processes = session.training, session.training.processes
    peak = peak_memory(training.device)
    return {
        "config": asdict(training.config),
        "seed": training.config.seed,
        "test": test,
        "validation": session.history,
        "seconds": round(session.seconds, 2),
        "processor_seconds": round(session.processor_seconds, 2),
        "steps": training.steps_done,
        "images_seen": training.images_seen,
        "images_per_second": round(training.images_seen / session.seconds, 1),
        "peak_memory_mb": None if peak is None else round(peak / 2**20, 1),
        "processes": processes.world,
        "class_sizes": {str(size): count for size, count in session.class_sizes.items()},
        "skipped": sorted(set().union(*processes.gather(session.options.reading.bad))),
        **environment(training.device),
    }


def _finish(
    session: Session,
    images: ImageSet,
    inputs: ImageSet,
    result: dict[str, Any],
    on_test: OnTest | None,
) -> None:
    """Write the weights, evaluate the test images, and write the result."""
    training, embeddings = session.training, None
    write_weights(session.folder, training.network)
    if len(inputs):
        announce("evaluating test images: trained network", session.options.progress)
        embeddings = embed(training.trained, inputs.images, training.config.image_size)
        measured = _measured(embeddings, inputs)
        result["test"] |= measured.rows
        result["measured"] = measured.lines
    write_json(session.folder / "result.json", result)
    remove_states(session.folder)
    if on_test is not None and images and embeddings is not None:
        on_test(images, embeddings)


def _measured(embeddings: Tensor, images: ImageSet) -> Evaluation:
    """Measure the trained network on test images, and say over how many queries."""
    searches, has_groups = measure_embeddings(embeddings, images), images.groups is not None
    galleries = gallery_sizes(images)
    return evaluation_of("trained", searches, galleries, OF_UNIT_VECTORS, groups=has_groups)
