# SPDX-License-Identifier: Apache-2.0
"""Headrace's trainer for tabular data: one specification in, one ONNX model with its evidence out."""

__version__ = "0.1.0"
