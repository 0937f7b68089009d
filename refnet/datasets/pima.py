"""Pima Indians diabetes: 768 women, 8 measurements each, and whether diabetes showed within five years (Smith et al. 1988)."""

import numpy as np

from refnet.annotations import Array
from refnet.datasets import files, tables

COLUMNS = ("pregnancies", "glucose", "blood pressure", "skin fold", "insulin", "body mass", "pedigree", "age")


def load_data(path: str = "pima-indians-diabetes.csv") -> tuple[Array, Array]:
    """The table, in its own order. A 0 in columns 1 to 5 stands for a measurement that was not made.

    Args:
        path: the file's name, see `refnet.datasets.files`, or its full path. Nine columns, no header.
    Returns:
        x, y: float64 measurements (768, 8), in the order of COLUMNS, and int64 classes (768,), 1 for diabetes.
    Raises:
        MissingFileError: the file is nowhere.  DataError: something else than such a table.
    """
    found = files.by_hand(
        *files.names_of(path, "pima-indians-diabetes.csv", "pima-indians-diabetes.data.csv"),
        source="the US National Institute of Diabetes and Digestive and Kidney Diseases",
        commands=f"curl -o {files.folders()[-1] / 'pima-indians-diabetes.csv'} "
        "https://raw.githubusercontent.com/jbrownlee/Datasets/master/pima-indians-diabetes.data.csv",
    )
    rows = tables.numbers(found, files.text(found).split("\n"), 9)
    return rows[:, :8].copy(), rows[:, 8].astype(np.int64)
