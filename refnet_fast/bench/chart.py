"""The benchmark as a picture."""

from typing import Any

COLORS = {
    "refnet fit": "#c8102e",
    "PyTorch loop": "#7a7a7a",
    "Keras fit on JAX": "#9c9c9c",
    "Keras fit on TensorFlow": "#bdbdbd",
    "Keras fit on PyTorch": "#dcdcdc",
    "PyTorch CUDA graph": "#5b7fa6",
    "PyTorch compiled": "#8fabc9",
}
LONGEST = 3.0  # where bars are cut


def in_ms(microseconds: float) -> str:
    """Three digits, and no powers of ten."""
    milliseconds = microseconds / 1000
    return f"{milliseconds:,.0f}" if milliseconds >= 100 else f"{milliseconds:.3g}"


def draw(report: dict[str, Any], path: str) -> None:
    """Bars of each program's time, relative to the fastest peer's: shorter is faster, 1 is the line.

    Args:
        report: what `python -m refnet_fast.bench --json` prints; only workloads with peers are drawn.
        path: of the picture, .png or .svg.
    """
    import matplotlib.figure

    works = [work for work in report["works"] if work["fastest_peer"]]
    known = {name: None for work in works for name in work["programs"]}
    names = sorted(known, key=list(COLORS).index)
    figure = matplotlib.figure.Figure(figsize=(9, 1.2 + (0.1 + 0.13 * len(names)) * len(works)), layout="constrained")
    axes = figure.subplots()
    height, told = 0.8 / max(1, len(names)), set()
    for place, work in enumerate(works):
        least = work["programs"][work["fastest_peer"]]["median"]
        for number, name in enumerate(names):
            if name not in work["programs"]:
                continue
            ratio, time = work["programs"][name]["median"] / least, work["programs"][name]["median"]
            y = place + (number - (len(names) - 1) / 2) * height
            shown = min(ratio, LONGEST)
            axes.barh(y, shown, height * 0.92, color=COLORS[name], label=None if name in told else name)
            told.add(name)
            label = f"{in_ms(time)} ms" + (f"  ({ratio:.0f} times)" if ratio > LONGEST else "")
            axes.text(shown + 0.02, y, label, va="center", fontsize=6.5, color="#444444")
    axes.axvline(1, color="#444444", linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(works)), [work["name"] for work in works], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, LONGEST + 0.45)
    axes.set_xlabel("time of a training step / the fastest peer's", fontsize=8)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    machine = report["machine"]
    axes.set_title(
        f"{machine['processor']}, {machine['processors']} processors", fontsize=8, loc="left", color="#444444"
    )
    figure.legend(loc="outside upper right", ncols=len(names), fontsize=8, frameon=False)
    figure.savefig(path, dpi=130)
