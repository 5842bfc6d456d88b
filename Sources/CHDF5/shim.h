#pragma once
// Accessors for what Swift can't import of HDF5: globals behind macros, and the few functions whose structures differ
// between versions. The 1.10 interface is asked for by name; later versions still offer it.
#define H5_USE_110_API
#include <hdf5.h>
#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif
#include <stdbool.h>
#include <stdint.h>

static inline hid_t hdf5_native_float(void) { return H5T_NATIVE_FLOAT; }
static inline hid_t hdf5_native_double(void) { return H5T_NATIVE_DOUBLE; }
static inline hid_t hdf5_native_uint8(void) { return H5T_NATIVE_UINT8; }
static inline hid_t hdf5_native_int64(void) { return H5T_NATIVE_INT64; }
static inline hid_t hdf5_file_float32(void) { return H5T_IEEE_F32LE; }
static inline hid_t hdf5_file_float64(void) { return H5T_IEEE_F64LE; }
static inline hid_t hdf5_file_uint8(void) { return H5T_STD_U8LE; }
static inline hid_t hdf5_file_int64(void) { return H5T_STD_I64LE; }
static inline hid_t hdf5_c_string(void) { return H5T_C_S1; }
static inline size_t hdf5_variable_length(void) { return H5T_VARIABLE; }

static inline hid_t hdf5_defaults(void) { return H5P_DEFAULT; }
static inline hid_t hdf5_whole_space(void) { return H5S_ALL; }
static inline hid_t hdf5_file_access(void) { return H5P_FILE_ACCESS; }
static inline hid_t hdf5_file_create(void) { return H5P_FILE_CREATE; }
static inline hid_t hdf5_group_create(void) { return H5P_GROUP_CREATE; }
static inline hid_t hdf5_dataset_create(void) { return H5P_DATASET_CREATE; }
static inline unsigned hdf5_truncate(void) { return H5F_ACC_TRUNC; }
static inline unsigned hdf5_read_only(void) { return H5F_ACC_RDONLY; }
static inline haddr_t hdf5_undefined_address(void) { return HADDR_UNDEF; }

// What the program's file driver keeps for an open file: the part that HDF5 knows, then its own.
typedef struct {
  H5FD_t header;
  uint64_t key;
  haddr_t end_of_allocation;
} hdf5_driver_file;

// A driver class with nothing set but what its version asks for.
static inline H5FD_class_t hdf5_empty_driver_class(void) {
  H5FD_class_t result = {0};
#if H5_VERSION_GE(1, 13, 0)
  result.version = H5FD_CLASS_VERSION;
  result.value = 600;
#endif
  return result;
}

// Visits the links of a group in the order of their names; `hard` is false for soft, external and user-defined links.
typedef herr_t (*hdf5_link_visitor)(const char *name, bool hard, void *context);
typedef struct {
  hdf5_link_visitor visitor;
  void *context;
} hdf5_link_visit;

static inline herr_t hdf5_visit_link(hid_t group, const char *name, const H5L_info_t *info, void *data) {
  (void)group;
  hdf5_link_visit *visit = (hdf5_link_visit *)data;
  return visit->visitor(name, info->type == H5L_TYPE_HARD, visit->context);
}

static inline herr_t hdf5_visit_links(hid_t group, hdf5_link_visitor visitor, void *context) {
  hdf5_link_visit visit = {visitor, context};
  return H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, hdf5_visit_link, &visit);
}

// Where an object lies in its file, which tells objects apart; undefined if HDF5 can't say.
static inline haddr_t hdf5_object_address(hid_t object) {
  H5O_info_t info;
  if (H5Oget_info2(object, &info, H5O_INFO_BASIC) < 0) return HADDR_UNDEF;
  return info.addr;
}
