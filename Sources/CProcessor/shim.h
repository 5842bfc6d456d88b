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
