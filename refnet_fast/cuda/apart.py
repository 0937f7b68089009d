"""Work on a device in processes of their own: an error there ends all that its process does there, and a kernel may never end.

What a process finds it writes to a file, row by row, so that whatever comes after loses nothing.
"""

import collections
import concurrent.futures
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import threading

ROOT = pathlib.Path(__file__).parents[2]
PROCESSES = max(1, (os.cpu_count() or 1) - 2)  # at a time
TOGETHER = 3  # names that a process is given: starting one takes as long as compiling a kernel
PATIENCE = 150.0  # seconds that it may take for them, before another goes on behind the one that it hangs in
DYING = 10.0  # seconds that a killed process may take: one with work on a device ends when the driver has ended that


def run(command, seconds):
    """How a command ends that may take so long: {"status", "output"}. When its time is over, all that it has started ends with it."""
    with tempfile.TemporaryFile("w+", errors="replace") as printed:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=printed, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        try:
            status = process.wait(max(1.0, seconds))
        except subprocess.TimeoutExpired:
            status = ended(process)
        printed.seek(0)
        return {"status": status, "output": printed.read()}


def ended(process):
    """Kills a process and all that it has started; says how that went. Nobody waits for one that does not even die."""
    os.killpg(process.pid, signal.SIGKILL)
    try:
        process.wait(DYING)
    except subprocess.TimeoutExpired:
        return "ran out of time, and did not end when it was killed"
    return "ran out of time"


def apart(command, seconds, path):
    """What a process has written to a file when it ends, however it does: one that ends badly says how."""
    done = run(command, seconds)
    found = json.loads(path.read_text()) if path.exists() else {}
    return (
        found if done["status"] in (0, 1) and found else {**found, "ended": {**done, "output": done["output"][-3000:]}}
    )


def write_whole(report, path):
    """Writes a report as JSON. Whoever is killed meanwhile leaves the one before."""
    path = pathlib.Path(path)
    beside = path.with_name(path.name + ".new")
    beside.write_text(json.dumps(report, indent=1) + "\n")
    os.replace(beside, path)


def not_run(rows, names):
    for name in names:
        rows[name] = {"not run": "no time was left"}


def among_processes(rows, alone, others, command_of, part, left):
    """Fills in the rows of a part, by PROCESSES at a time.

    A process is given a few names. It ends after a row that failed. If it ends without a row, or hangs, the name that it was at has failed,
    and another process goes on behind it.

    Args:
        alone, others: names that have a process to themselves, which are begun first, and names that share one.
        command_of: `command_of(names, path)`, the command that writes their rows to a path, as apart.write_whole does: {part: rows}.
        left: `left()`, seconds that are left. What would begin later is not run, and says so.
    """
    shared = [others[at : at + TOGETHER] for at in range(0, len(others), TOGETHER)]
    waiting, lock = collections.deque([*([name] for name in alone), *shared]), threading.Lock()

    def work():
        while True:
            with lock:
                if not waiting:
                    return
                names = waiting.popleft()
                if left() <= 0:
                    not_run(rows, names)
                    continue
            with tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder) / "found.json"
                seconds = left() if names[0] in alone else min(left(), PATIENCE)
                found = apart(command_of(names, path), seconds, path)
            with lock:
                over = left() <= 0  # then it was ended for that
                behind = noted(rows, names, found.get(part, {}), None if over else found.get("ended", "without a row"))
                if behind:
                    waiting.append(behind)

    with concurrent.futures.ThreadPoolExecutor(PROCESSES) as pool:
        for worker in [pool.submit(work) for _ in range(len(waiting))]:
            worker.result()


def noted(rows, names, found, how):
    """Notes what a process found out about the names it was given, and how it ended at one of them (None: nobody knows); gives those
    that are left."""
    missing = [name for name in names if name not in found]
    for name in names:
        if name in found:
            rows[name] = found[name]
    if (
        missing
        and how is not None
        and not any(isinstance(found.get(name), dict) and "failed" in found[name] for name in names)
    ):
        rows[missing.pop(0)] = {"failed": how}
    return missing
