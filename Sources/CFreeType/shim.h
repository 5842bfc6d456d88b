#pragma once
#include <ft2build.h>
#include FT_FREETYPE_H
#include FT_OUTLINE_H

// Outlines unhinted, so that glyphs keep their true advances at any position: a cast macro that
// Swift can't import.
static inline FT_Int32 shim_ft_load_unhinted(void) { return FT_LOAD_NO_HINTING | FT_LOAD_NO_BITMAP; }
