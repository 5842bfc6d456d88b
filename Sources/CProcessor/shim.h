#pragma once

#include <sys/syscall.h>
#include <unistd.h>

/// Whether the program was built for a processor with 512-bit vectors. A constant, so that the branch on it folds.
static inline int processor_target_has_avx512(void) {
#ifdef __AVX512F__
  return 1;
#else
  return 0;
#endif
}

/// Whether the processor is one of Intel's.
static inline int processor_is_intel(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_is("intel") != 0;
#else
  return 0;
#endif
}

/// How many bytes the second-level cache of a core has, or 0 where that isn't known.
static inline long processor_second_cache_bytes(void) {
#ifdef _SC_LEVEL2_CACHE_SIZE
  const long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
  return bytes > 0 ? bytes : 0;
#else
  return 0;
#endif
}

/// The first instruction set that the program was built for and this processor lacks, or null.
static inline const char *processor_missing_feature(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
#ifdef __AVX2__
  if (!__builtin_cpu_supports("avx2")) return "AVX2";
#endif
#ifdef __FMA__
  if (!__builtin_cpu_supports("fma")) return "FMA";
#endif
#ifdef __AVX512F__
  if (!__builtin_cpu_supports("avx512f")) return "AVX-512";
#endif
#endif
  return 0;
}

/// Asks for the memory at an address, which is read soon and needn't exist.
static inline void processor_prefetch(const void *address) { __builtin_prefetch(address, 0, 3); }

/// The same, into the second-level cache: for what is read only after much else.
static inline void processor_prefetch_far(const void *address) { __builtin_prefetch(address, 0, 2); }

/// The same for memory that is written soon.
static inline void processor_prefetch_to_write(const void *address) {
  __builtin_prefetch(address, 1, 3);
}

/// Tells the processor that this is a loop that waits for another thread.
static inline void processor_relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

typedef float processor_vector __attribute__((ext_vector_type(16)));
typedef float processor_half_vector __attribute__((ext_vector_type(8)));

/// a + b c, rounded once. Swift's own is sixteen operations of one float each, most but not all of which the optimiser puts together
/// again.
static inline processor_vector processor_add_product(
    processor_vector a, processor_vector b, processor_vector c) {
  return __builtin_elementwise_fma(b, c, a);
}

/// The same of eight floats.
static inline processor_half_vector processor_add_half_product(
    processor_half_vector a, processor_half_vector b, processor_half_vector c) {
  return __builtin_elementwise_fma(b, c, a);
}

/// The larger of each pair of lanes; `a` where one is not a number. Swift's own comparisons of sixteen floats come out in halves.
static inline processor_vector processor_larger(processor_vector a, processor_vector b) {
  return b > a ? b : a;
}

/// The smaller of each pair of lanes; `a` where one is not a number.
static inline processor_vector processor_smaller(processor_vector a, processor_vector b) {
  return b < a ? b : a;
}

/// Lanes of `a` where `x` is less than `y`, and of `b` elsewhere.
static inline processor_vector processor_where_less(
    processor_vector x, processor_vector y, processor_vector a, processor_vector b) {
  return x < y ? a : b;
}

#ifdef __AVX512F__
/// The first `count` floats at an address, 0 to 16, then zeros.
static inline processor_vector processor_load_first(const float *address, long count) {
  return __builtin_ia32_loadups512_mask(
      (const processor_vector *)address, (processor_vector)0.0f, (1u << count) - 1);
}

/// Stores the first `count` floats, 0 to 16.
static inline void processor_store_first(float *address, processor_vector value, long count) {
  __builtin_ia32_storeups512_mask((processor_vector *)address, value, (1u << count) - 1);
}
#else
// With narrower registers Swift has faster ways.
static inline processor_vector processor_load_first(const float *address, long count) {
  processor_vector value = 0.0f;
  __builtin_memcpy(&value, address, count * sizeof(float));
  return value;
}

static inline void processor_store_first(float *address, processor_vector value, long count) {
  __builtin_memcpy(address, &value, count * sizeof(float));
}
#endif

/// Stores sixteen floats at an address that is a multiple of 64, past the caches: the line needn't be fetched from the
/// cores that have read it. Other threads see it after ``processor_finish_streams``.
static inline void processor_stream(float *address, processor_vector value) {
  __builtin_nontemporal_store(value, (processor_vector *)address);
}

static inline void processor_finish_streams(void) {
#if defined(__x86_64__)
  __builtin_ia32_sfence();
#endif
}

/// Holds the calling thread on a core.
/// - Returns: whether there is such a core for this process.
static inline int processor_hold_thread(int core) {
  unsigned long cores[16] = {0};
  const int bits = 8 * sizeof cores[0];
  if (core < 0 || core >= 16 * bits) return 0;
  cores[core / bits] |= 1UL << core % bits;
  return syscall(SYS_sched_setaffinity, 0, sizeof cores, cores) == 0;
}

typedef float processor_quarter_vector __attribute__((ext_vector_type(4)));
// The same at any address.
typedef float processor_loose_vector __attribute__((ext_vector_type(16), aligned(4)));
typedef float processor_loose_half __attribute__((ext_vector_type(8), aligned(4)));
typedef float processor_loose_quarter __attribute__((ext_vector_type(4), aligned(4)));

// The first and the last two floats of each four of x and y by turns.
#define PROCESSOR_FIRSTS(x, y) \
  __builtin_shufflevector(x, y, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29)
#define PROCESSOR_LASTS(x, y) \
  __builtin_shufflevector(x, y, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31)

/// Turns four vectors, four floats of each at a time: x[c][4 q + r] becomes x[r][4 q + c]. In C, since Swift's compiler makes
/// shuffles of few of its vectors' elements.
static inline void processor_turn_quarters(processor_vector x[4]) {
  processor_vector a = PROCESSOR_FIRSTS(x[0], x[2]), b = PROCESSOR_LASTS(x[0], x[2]);
  processor_vector c = PROCESSOR_FIRSTS(x[1], x[3]), d = PROCESSOR_LASTS(x[1], x[3]);
  x[0] = PROCESSOR_FIRSTS(a, c);
  x[1] = PROCESSOR_LASTS(a, c);
  x[2] = PROCESSOR_FIRSTS(b, d);
  x[3] = PROCESSOR_LASTS(b, d);
}

/// Four floats at an address, and four that stand `apart` floats from them.
static inline processor_half_vector processor_load_quarters(const float *address, long apart) {
  processor_quarter_vector a = *(const processor_loose_quarter *)address;
  processor_quarter_vector b = *(const processor_loose_quarter *)(address + apart);
  return __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7);
}

/// `target[j * target_stride + i] = source[i * source_stride + j]` for i and j below 16.
static inline void processor_transpose_16x16(
    const float *source, long source_stride, float *target, long target_stride) {
  for (int quarter = 0; quarter < 4; quarter++) {
    processor_vector rows[4];
    for (int r = 0; r < 4; r++) {
      const float *row = source + r * source_stride;
      rows[r] = __builtin_shufflevector(
          processor_load_quarters(row, 4 * source_stride),
          processor_load_quarters(row + 8 * source_stride, 4 * source_stride), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    }
    processor_turn_quarters(rows);
    for (int r = 0; r < 4; r++) {
      *(processor_loose_vector *)target = rows[r];
      target += target_stride;
    }
    source += 4;
  }
}

/// `target[j * target_stride + i] = source[i * source_stride + j]` for i below 8 and j below 16.
static inline void processor_transpose_8x16(
    const float *source, long source_stride, float *target, long target_stride) {
  for (int quarter = 0; quarter < 4; quarter++) {
    processor_vector rows[4];
    for (int r = 0; r < 4; r++) {
      processor_half_vector row =
          processor_load_quarters(source + r * source_stride, 4 * source_stride);
      rows[r] = __builtin_shufflevector(
          row, row, 0, 1, 2, 3, 4, 5, 6, 7, -1, -1, -1, -1, -1, -1, -1, -1);
    }
    processor_turn_quarters(rows);
    for (int r = 0; r < 4; r++) {
      *(processor_loose_half *)target =
          __builtin_shufflevector(rows[r], rows[r], 0, 1, 2, 3, 4, 5, 6, 7);
      target += target_stride;
    }
    source += 4;
  }
}

/// Puts the floats of four vectors side by side: `target[q * target_stride + 4 * r + c]` is the (4 q + r)th of vector c.
static inline void processor_put_fours(
    processor_vector v0, processor_vector v1, processor_vector v2, processor_vector v3,
    float *target, long target_stride) {
  processor_vector x[4] = {v0, v1, v2, v3};
  processor_turn_quarters(x);
  // Now x[r] has in its quarter q what is wanted at 4 r of line q: quarters are turned as their floats were.
#define PROCESSOR_QUARTERS(x, y, a, b, c, d)                                                     \
  __builtin_shufflevector(                                                                       \
      x, y, 4 * a, 4 * a + 1, 4 * a + 2, 4 * a + 3, 4 * b, 4 * b + 1, 4 * b + 2, 4 * b + 3,      \
      4 * c, 4 * c + 1, 4 * c + 2, 4 * c + 3, 4 * d, 4 * d + 1, 4 * d + 2, 4 * d + 3)
  processor_vector a = PROCESSOR_QUARTERS(x[0], x[1], 0, 1, 4, 5);
  processor_vector b = PROCESSOR_QUARTERS(x[2], x[3], 0, 1, 4, 5);
  processor_vector c = PROCESSOR_QUARTERS(x[0], x[1], 2, 3, 6, 7);
  processor_vector d = PROCESSOR_QUARTERS(x[2], x[3], 2, 3, 6, 7);
  *(processor_loose_vector *)target = PROCESSOR_QUARTERS(a, b, 0, 2, 4, 6);
  *(processor_loose_vector *)(target + target_stride) = PROCESSOR_QUARTERS(a, b, 1, 3, 5, 7);
  *(processor_loose_vector *)(target + 2 * target_stride) = PROCESSOR_QUARTERS(c, d, 0, 2, 4, 6);
  *(processor_loose_vector *)(target + 3 * target_stride) = PROCESSOR_QUARTERS(c, d, 1, 3, 5, 7);
#undef PROCESSOR_QUARTERS
}

#undef PROCESSOR_FIRSTS
#undef PROCESSOR_LASTS
