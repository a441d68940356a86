"""The words of the command line."""

import argparse
from pathlib import Path

from segedu import __version__


def parser() -> argparse.ArgumentParser:
    """The parser of ``python -m segedu``; the chosen command's name ends up in ``command``."""
    top = argparse.ArgumentParser(prog="python -m segedu", description="Semantic segmentation, run and measured.")
    top.add_argument("--version", action="version", version=f"segedu {__version__}")
    top.add_argument("--traceback", action="store_true", help="show where an error came from")
    commands = top.add_subparsers(dest="command", required=True, metavar="command")
    commands.add_parser("check", help="report what this machine has, and try a training step")
    _train(commands.add_parser("train", help="train a model and keep it in a folder"))
    _evaluate(commands.add_parser("evaluate", help="score a trained model class by class"))
    _predict(commands.add_parser("predict", help="label pictures with a trained model"))
    _export(commands.add_parser("export", help="keep a trained model as safetensors, with a card that says all of it"))
    _download(commands.add_parser("download", help="fetch a real data set"))
    _claims(commands.add_parser("claims", help="what the study notes claim, and what the lessons measured"))
    _progress(commands.add_parser("progress", help="which exercises are done"))
    return top


def _train(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "model",
        help="fcn32s, fcn16s, fcn8s, unet, segnet, segnet_basic, deeplabv1, deeplabv2, deeplabv3 or bisenet; "
        "deeplabv3_torchvision and fcn_torchvision are torchvision's own, bisenet_coincheung is CoinCheung's",
    )
    command.add_argument(
        "--backbone",
        help="for an FCN: vgg16 (default), alexnet, googlenet or vgg_mini; "
        "for deeplabv1: vgg16 (default) or vgg_mini; "
        "for deeplabv3: resnet50 (default), resnet101, resnet18, resnet34 or resnet_mini; "
        "for bisenet: resnet18 (default), xception39 or any of those",
    )
    command.add_argument(
        "--weights",
        metavar="NAME",
        help="imagenet: start from torchvision's weights of the backbone; streets: from the small net of the course",
    )
    command.add_argument(
        "--option",
        dest="options",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="of the model, as models.create takes it: width=8, output_stride=8 or widths=[16,32,64]; give one or more",
    )
    command.add_argument(
        "--output", type=Path, metavar="DIR", help="default: runs/MODEL-BACKBONE-DATA, or a new number"
    )
    command.add_argument("--resume", action="store_true", help="go on from the checkpoint in the output folder")
    _add_data(command, default="streets")
    recipe = command.add_argument_group("recipe")
    recipe.add_argument("--steps", type=int, default=1000, help="optimiser steps (default: %(default)s)")
    recipe.add_argument("--batch-size", type=int, default=4, help="images a step, all processes together (default: 4)")
    recipe.add_argument("--scenes", type=int, metavar="N", help="how many painted scenes to train on (default: 1000)")
    recipe.add_argument("--no-augment", dest="augment", action="store_false", help="take photographs as they are")
    recipe.add_argument("--optimizer", default="adamw", help="adamw (default) or sgd")
    recipe.add_argument("--lr", type=float, default=1e-3, help="first learning rate (default: %(default)s)")
    recipe.add_argument("--seed", type=int, default=0, help="of weights, order and augmentation (default: 0)")
    recipe.add_argument("--precision", default="float32", help="float32 (default) or bfloat16")
    recipe.add_argument(
        "--loss",
        default="cross-entropy",
        metavar="NAME[+NAME]",
        help="cross-entropy (default), focal, ohem, dice, jaccard or lovasz; joined by +, each counts once",
    )
    recipe.add_argument("--class-weights", metavar="NAME", help="median-frequency: rare classes weigh more")
    recipe.add_argument("--validate-every", type=int, default=0, metavar="STEPS", help="default: after the last step")
    recipe.add_argument("--checkpoint-every", type=int, default=100, metavar="STEPS", help="default: %(default)s")
    recipe.add_argument("--workers", type=int, default=0, help="processes that load images (default: none)")
    recipe.add_argument("--channels-last", action="store_true", help="store features pixel by pixel")
    recipe.add_argument("--compile", action="store_true", help="compile the model with torch.compile")


def _evaluate(command: argparse.ArgumentParser) -> None:
    _add_trained(command)
    _add_data(command, default=None)
    command.add_argument("--split", default="val", help="default: %(default)s")
    command.add_argument("--batch-size", type=int, default=1, help="images at a time (default: %(default)s)")


def _predict(command: argparse.ArgumentParser) -> None:
    _add_trained(command)
    command.add_argument("images", type=Path, nargs="+", metavar="image", help="PNG or JPEG files of any size")
    command.add_argument("--output", type=Path, required=True, metavar="DIR", help="gets two PNG files a picture")
    command.add_argument("--tile", type=int, metavar="PIXELS", help="label large pictures in tiles of this side")
    command.add_argument("--margin", type=int, metavar="PIXELS", help="overlap of tiles (default: what the model sees)")
    _add_device(command)


def _download(command: argparse.ArgumentParser) -> None:
    command.add_argument("data", choices=["camvid"], help="camvid: 190 MB, for research and personal use")
    command.add_argument("--to", type=Path, metavar="DIR", help="default: SEGEDU_DATA, else segedu in the user's cache")


def _claims(command: argparse.ArgumentParser) -> None:
    command.add_argument("ids", nargs="*", metavar="id", help="show these claims with all their evidence, as in: D7 L4")
    command.add_argument("--lesson", metavar="NUMBER", help="only what this lesson measures, as in: 05")
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print everything, for programs")
    form.add_argument("--markdown", action="store_true", help="print a table in Markdown")


def _progress(command: argparse.ArgumentParser) -> None:
    command.add_argument("--reset", action="store_true", help="forget all tries; asks for --yes")
    command.add_argument("--yes", action="store_true", help="confirm --reset")


def _export(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", type=Path, help="the folder of a finished run")
    command.add_argument(
        "--to", type=Path, required=True, metavar="FILE", help="the card, such as weights/streets-unet.json"
    )
    command.add_argument("--batch-size", type=int, default=1, help="images at a time (default: %(default)s)")
    _add_device(command)


def _add_trained(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "run",
        metavar="model",
        help="the folder of a finished run, its model.pt, streets:NAME for the weights that come with the course, as "
        "in streets:unet, or the path of such weights",
    )


def _add_data(command: argparse.ArgumentParser, default: str | None) -> None:
    shown = "the one trained on" if default is None else default
    command.add_argument("--data", default=default, help=f"streets, camvid, cells, nuclei or isbi (default: {shown})")
    command.add_argument("--size", type=int, nargs=2, metavar=("H", "W"), help="of the images, in pixels")
    _add_device(command)


def _add_device(command: argparse.ArgumentParser) -> None:
    command.add_argument("--device", help="cuda, cuda:1, mps or cpu (default: the fastest there is)")
