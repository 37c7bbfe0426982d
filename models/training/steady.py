"""Settles the numeric libraries before they load: one thread, one code path.

Scripts import this module first. OpenCV's vendor primitives choose their
arithmetic by processor, so they are switched off: a picture then depends on its
seed alone. Small pictures gain nothing from threads anyway.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["OPENCV_IPP"] = "disabled"
os.environ["OPENCV_LOG_LEVEL"] = "ERROR"

import cv2  # noqa: E402  (the settings above must come first)

cv2.setNumThreads(0)
cv2.setUseOptimized(False)
