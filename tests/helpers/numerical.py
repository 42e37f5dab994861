"""Derivatives that know nothing of backpropagation: element by element, from values of the function alone."""

import numpy as np


def complex_step(f, array, h=1e-30):
    """d f / d array by Im f(a + i h) / h; `f()` reads `array`, which is changed in place and must be complex."""
    bar = np.zeros(array.shape)
    for index in np.ndindex(array.shape):
        array[index] += 1j * h
        bar[index] = f().imag / h
        array[index] = array[index].real
    return bar


def central_differences(f, array, h=3e-4):
    """d f / d array from f at a - 2h, a - h, a + h and a + 2h, which leaves an error of h^4 (and of rounding over h).

    `f()` reads `array`, which is changed in place and put back.
    """
    bar = np.zeros(array.shape)
    for index in np.ndindex(array.shape):
        kept, value = array[index], {}
        for steps in (-2, -1, 1, 2):
            array[index] = kept + steps * h
            value[steps] = f()
        array[index] = kept
        bar[index] = (8 * (value[1] - value[-1]) - (value[2] - value[-2])) / (12 * h)
    return bar


def relative_error(found, wanted):
    """Norm of the difference over the norm of what is wanted, so that no small entry hides a large mistake."""
    difference = np.linalg.norm(found - wanted)
    return difference / np.linalg.norm(wanted) if difference else 0.0
