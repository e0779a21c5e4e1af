/* What the parts of the fake driver share: status codes, injected failures, counters, misuse. */
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#define FAKE_API extern "C" __attribute__((visibility("default")))

#define FAKE_STATUSES(STATUS) \
  STATUS(CUDA_SUCCESS, 0) \
  STATUS(CUDA_ERROR_INVALID_VALUE, 1) \
  STATUS(CUDA_ERROR_OUT_OF_MEMORY, 2) \
  STATUS(CUDA_ERROR_NOT_INITIALIZED, 3) \
  STATUS(CUDA_ERROR_NO_DEVICE, 100) \
  STATUS(CUDA_ERROR_INVALID_DEVICE, 101) \
  STATUS(CUDA_ERROR_INVALID_IMAGE, 200) \
  STATUS(CUDA_ERROR_INVALID_CONTEXT, 201) \
  STATUS(CUDA_ERROR_NO_BINARY_FOR_GPU, 209) \
  STATUS(CUDA_ERROR_INVALID_PTX, 218) \
  STATUS(CUDA_ERROR_UNSUPPORTED_PTX_VERSION, 222) \
  STATUS(CUDA_ERROR_INVALID_HANDLE, 400) \
  STATUS(CUDA_ERROR_ILLEGAL_STATE, 401) \
  STATUS(CUDA_ERROR_NOT_FOUND, 500) \
  STATUS(CUDA_ERROR_NOT_READY, 600) \
  STATUS(CUDA_ERROR_ILLEGAL_ADDRESS, 700) \
  STATUS(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, 701) \
  STATUS(CUDA_ERROR_LAUNCH_TIMEOUT, 702) \
  STATUS(CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED, 704) \
  STATUS(CUDA_ERROR_PEER_ACCESS_NOT_ENABLED, 705) \
  STATUS(CUDA_ERROR_LAUNCH_FAILED, 719) \
  STATUS(CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE, 720) \
  STATUS(CUDA_ERROR_NOT_SUPPORTED, 801) \
  STATUS(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, 900) \
  STATUS(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, 901) \
  STATUS(CUDA_ERROR_STREAM_CAPTURE_MERGE, 902) \
  STATUS(CUDA_ERROR_STREAM_CAPTURE_UNMATCHED, 903) \
  STATUS(CUDA_ERROR_STREAM_CAPTURE_UNJOINED, 904) \
  STATUS(CUDA_ERROR_STREAM_CAPTURE_ISOLATION, 905) \
  STATUS(CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, 906) \
  STATUS(CUDA_ERROR_CAPTURED_EVENT, 907) \
  STATUS(CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD, 908)

enum CUresult {
#define STATUS(name, value) name = value,
  FAKE_STATUSES(STATUS)
#undef STATUS
};

using CUdeviceptr = uint64_t;

/* Counts the call; the status that a test wants it to fail with, or 0. */
FAKE_API int fakeEnter(const char *call);
/* Counts a call that the fake does not emulate, and notes it as misuse. */
FAKE_API int fakeUnexpected(const char *call, int status);

namespace fake {

/* Held by every call for as long as it lasts. */
extern std::recursive_mutex mutex;
using Lock = std::lock_guard<std::recursive_mutex>;

/* Notes what a real driver might not notice; tests read it through FakeDriver.messages(). */
void misuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The name of a CUresult, or null. */
const char *statusName(int status);

/* In words: where an address lies that must not be touched. */
std::string describeAddress(const void *address);

/* The objects of one kind that exist, for checking handles and for finding leaks. */
template <class T>
class Registry {
 public:
  T *add(T *object) {
    objects.insert(object);
    return object;
  }
  T *find(const void *handle) const {
    T *object = const_cast<T *>(static_cast<const T *>(handle));
    return objects.count(object) > 0 ? object : nullptr;
  }
  bool remove(T *object) {
    if (objects.erase(object) == 0) {
      return false;
    }
    delete object;
    return true;
  }
  template <class Predicate>
  void removeIf(Predicate predicate) {
    const std::set<T *> all = objects;
    for (T *object : all) {
      if (predicate(*object)) {
        remove(object);
      }
    }
  }
  size_t size() const { return objects.size(); }
  const std::set<T *> &all() const { return objects; }

 private:
  std::set<T *> objects;
};

/* How the machine looks; FakeDriver.configure changes it. */
struct Configuration {
  int devices = 1;
  int computeCapability = 90;
  int driverVersion = 12060;
  size_t memory = size_t(4) << 30;
  int multiprocessors = 4;
};
extern Configuration configuration;

/* When work runs that nothing waits for yet. */
enum class Schedule {
  EAGER = 0,        /* at once */
  OTHERS_LAST = 1,  /* as late as possible: a missing wait reads what was there before */
  OTHERS_FIRST = 2, /* before what is waited for: a missing wait finds its operands overwritten */
};
extern Schedule schedule;
/* Whether the threads of a block run from the last to the first. */
extern bool reversedThreads;

}  // namespace fake

#define ENTER(call)                                 \
  fake::Lock lock(fake::mutex);                     \
  if (const int injected = fakeEnter(#call)) {      \
    return injected;                                \
  }
