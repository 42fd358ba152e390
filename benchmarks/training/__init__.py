"""Measurements of training: optimiser steps and data loading."""
