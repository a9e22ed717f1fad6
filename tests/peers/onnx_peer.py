"""Our decoder as an ONNX graph, run by onnxruntime: latents -> probabilities of pixels.

python -m peers.onnx_peer COUNT
"""

import sys
import time
from typing import Any

import numpy as np

from scratchgen.bench import tasks
from scratchgen.bench.workers import Turns

VARIANTS = {"1 thread": 1, "2 threads": 2}


def graph(arrays: Any) -> bytes:
    """z (1, Z) -> dense layers with ReLU between them, and a sigmoid at the end."""
    from onnx import TensorProto, checker, helper, numpy_helper

    nodes, known, at = [], [], "z"
    for k in range(0, len(arrays), 2):
        known += [numpy_helper.from_array(arrays[k + i], f"{'wb'[i]}{k}") for i in (0, 1)]
        nodes.append(helper.make_node("Gemm", [at, f"w{k}", f"b{k}"], [f"y{k}"]))
        last = k + 2 == len(arrays)
        at = "x" if last else f"h{k}"
        nodes.append(helper.make_node("Sigmoid" if last else "Relu", [f"y{k}"], [at]))
    float32 = TensorProto.FLOAT
    ends = [
        helper.make_tensor_value_info(name, float32, [1, n])
        for name, n in (("z", arrays[0].shape[0]), ("x", arrays[-1].shape[0]))
    ]
    made = helper.make_graph(nodes, "decoder", ends[:1], ends[1:], known)
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(made, opset_imports=opset, ir_version=9)
    checker.check_model(model)
    return bytes(model.SerializeToString())


def session(arrays: Any, threads: int) -> Any:
    """What runs the graph."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph(arrays), options)


def main(count: str) -> None:
    turns = Turns()
    task = tasks.STEP[0]
    arrays = tasks.weights(tasks.model(task))["decoder"]
    given = {"z": np.ascontiguousarray(tasks.examples(task, 1)[:, : task.latent])}
    times = {}
    for name, threads in VARIANTS.items():
        run = session(arrays, threads).run

        def work(run: Any = run) -> None:
            for _ in range(int(count)):
                run(None, given)

        work()
        began = time.perf_counter()
        work()
        times[name] = time.perf_counter() - began, work
    best = min(times, key=lambda name: times[name][0])
    turns.send(how=best)
    turns.serve(times[best][1])


if __name__ == "__main__":
    main(sys.argv[1])
