"""The importance-weighted bound: K draws of q(z|x) bound log p(x) more tightly than one draw.

A draw z_k ~ q(z|x) has the importance weight w_k = p(x|z_k) p(z_k) / q(z_k|x), whose expectation is
p(x). The mean of K weights has the same expectation, and varies less. As log is concave,

    bound = log (1/K sum_k w_k),   E[bound] <= log p(x)                                 (1)

For K = 1 this is the ELBO, with its KL estimated from the draw; as K grows, E[bound] rises to
log p(x). With the normalised weights

    w~_k = w_k / sum_i w_i,   the softmax of log w over the K draws                     (2)
    d bound / d log w_k = w~_k                                                          (3)

The better a draw explains x, the larger are its log w_k and its share w~_k. (Mind the sign: a
softmax of the losses -log w_k would learn from the worst draw.) The gradients of the bound are

    decoder                              sum_k w~_k d log p(x|z_k)                      (4)
    encoder, total derivative            sum_k w~_k d log w_k                           (5)
    encoder, doubly reparameterised      sum_k w~_k^2 (d log w_k / dz_k) dz_k           (6)

In (5) the encoder's parameters move z_k, and they also move the density q(z_k|x) in log w_k. The
expectation of the second part can be written as a derivative along z_k, too. Added to the first
part, it gives (6), in which q's parameters are held fixed in log w_k. (6) has the expectation of
(5), but as K grows, (5) drowns in its noise, and (6) does not. For a Gaussian q they are
(2, 3) of distributions/importance_draws.py.

Nothing overflows if the largest, m = max_k log w_k, is subtracted first:

    bound = m + log (1/K sum_k exp(log w_k - m))                                        (7)

Sources: (1) to (5) Burda et al. 2016; (6) Tucker et al. 2019, after Roeder et al. 2017.
"""

import numpy as np

from ..ground.arguments import Array
from ..kernels import formula, loop_of, share
from ..kernels.functions import exp, log, sum_of

# mypy: disable-error-code="no-untyped-def"


@formula("log_w (N, K) -> bound (N,), weights (N, K), _terms (1+, K)", row_by_row=True)
def importance_weights(log_w: Array) -> tuple[Array, Array]:
    """log w (N, K), nats -> the bound (N,), nats, and the normalised weights w~ (N, K)."""
    largest = log_w.max(axis=1, keepdims=True)  # (N, 1)
    w = np.exp(log_w - largest)  # (N, K), at most 1
    total = w.sum(axis=1, keepdims=True)  # (N, 1), at least 1
    bound = largest + np.log(total / log_w.shape[1])  # (N, 1)   (7)
    return bound[:, 0], w / total  # (N,), (N, K)   (2)


# The same formulas number by number, for speed: a first reader may skip the rest of this file.


@loop_of(importance_weights, weight=4)
def importance_weights_loop(part, parts, log_w, bound, weights, _terms):
    w, count = _terms[part], log_w.dtype.type(log_w.shape[1])
    top, bottom = share(len(log_w), part, parts)
    for n in range(top, bottom):
        log_w_n, weights_n, largest = log_w[n], weights[n], log_w[n, 0]
        for k in range(w.size):
            largest = max(largest, log_w_n[k])
        for k in range(w.size):
            weights_n[k] = w[k] = exp(log_w_n[k] - largest)
        total = sum_of(w)
        bound[n] = largest + log(total / count)  # (7)
        for k in range(w.size):
            weights_n[k] /= total  # (2)
