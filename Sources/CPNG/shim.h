#pragma once
#include <png.h>

// The most bytes that a picture takes as a PNG: a function-like macro that Swift can't import.
static inline size_t shim_png_size_max(png_image image) { return PNG_IMAGE_PNG_SIZE_MAX(image); }
