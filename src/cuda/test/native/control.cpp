/* Counters, injected failures and noted misuse, and the natives of FakeDriver.java. */
#include <jni.h>

#include <cstdarg>
#include <cstdio>

#include "fake.h"
#include "memory.h"
#include "streams.h"

namespace fake {

std::recursive_mutex mutex;
Configuration configuration;
Schedule schedule = Schedule::OTHERS_LAST;
bool reversedThreads = false;

size_t loadedModules();
void resetDriver();

namespace {

struct Injection {
  int remaining;
  int status;
};

std::map<std::string, int> calls;
std::map<std::string, Injection> injections;
std::vector<std::string> messages;
int cublasHandles;

jstring toJava(JNIEnv *env, const std::string &text) { return env->NewStringUTF(text.c_str()); }

}  // namespace

void misuse(const char *format, ...) {
  char text[500];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  messages.push_back(text);
}

const char *statusName(int status) {
  switch (status) {
#define STATUS(name, value) \
  case value:               \
    return #name;
    FAKE_STATUSES(STATUS)
#undef STATUS
    default:
      return nullptr;
  }
}

}  // namespace fake

using namespace fake;

FAKE_API int fakeEnter(const char *call) {
  calls[call]++;
  auto found = injections.find(call);
  if (found == injections.end() || --found->second.remaining > 0) {
    return 0;
  }
  const int status = found->second.status;
  injections.erase(found);
  return status;
}

FAKE_API int fakeUnexpected(const char *call, int status) {
  Lock lock(fake::mutex);
  misuse("[unexpected] %s is not emulated", call);
  const int injected = fakeEnter(call);
  return injected != 0 ? injected : status;
}

/* For the fake cuBLAS. */
FAKE_API void fakeCountHandles(int more) { cublasHandles += more; }
FAKE_API void fakeLock() { fake::mutex.lock(); }
FAKE_API void fakeUnlock() { fake::mutex.unlock(); }

#define NATIVE(type, name) extern "C" JNIEXPORT type JNICALL Java_io_deltarule_cuda_FakeDriver_##name

NATIVE(void, reset)(JNIEnv *, jclass) {
  Lock lock(fake::mutex);
  resetDriver();
  configuration = Configuration();
  schedule = Schedule::OTHERS_LAST;
  reversedThreads = false;
  calls.clear();
  injections.clear();
  messages.clear();
  cublasHandles = 0;
}

NATIVE(void, configure)(JNIEnv *, jclass, jint devices, jint computeCapability, jint driverVersion,
                        jlong memory, jint multiprocessors) {
  Lock lock(fake::mutex);
  configuration = {devices, computeCapability, driverVersion, size_t(memory), multiprocessors};
}

NATIVE(void, setSchedule)(JNIEnv *, jclass, jint value) {
  Lock lock(fake::mutex);
  schedule = Schedule(value);
}

NATIVE(void, reverseThreads)(JNIEnv *, jclass, jboolean reversed) {
  Lock lock(fake::mutex);
  reversedThreads = reversed;
}

NATIVE(void, failNext)(JNIEnv *env, jclass, jstring call, jint nth, jint status) {
  Lock lock(fake::mutex);
  const char *name = env->GetStringUTFChars(call, nullptr);
  injections[name] = {nth, status};
  env->ReleaseStringUTFChars(call, name);
}

NATIVE(jint, pendingFailures)(JNIEnv *, jclass) {
  Lock lock(fake::mutex);
  return jint(injections.size());
}

NATIVE(jstring, describeCalls)(JNIEnv *env, jclass) {
  Lock lock(fake::mutex);
  std::string text;
  for (const auto &[name, count] : calls) {
    text += name + " " + std::to_string(count) + "\n";
  }
  return toJava(env, text);
}

NATIVE(jstring, describeObjects)(JNIEnv *env, jclass) {
  Lock lock(fake::mutex);
  const std::pair<const char *, size_t> counts[] = {
      {"contexts", contexts.size()},
      {"streams", streams.size()},
      {"events", events.size()},
      {"modules", loadedModules()},
      {"memory", allocations()},
      {"pinned", pinnedAllocations()},
      {"graphs", graphs.size()},
      {"graphExecs", executableGraphs.size()},
      {"cublasHandles", size_t(cublasHandles)},
  };
  std::string text;
  for (const auto &[kind, count] : counts) {
    text += std::string(kind) + " " + std::to_string(count) + "\n";
  }
  return toJava(env, text);
}

NATIVE(jstring, describeMisuse)(JNIEnv *env, jclass) {
  Lock lock(fake::mutex);
  std::string text;
  for (const std::string &message : messages) {
    text += message + "\n";
  }
  return toJava(env, text);
}
