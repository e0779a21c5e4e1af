/*
 * Blocks and threads of a launch.
 *
 * Ordinary launches run their blocks one after the other on one OS thread; cooperative ones have an
 * OS thread for each block, since their blocks wait for each other. The threads of a block are
 * fibres, but only those that wait need one of their own: a fibre runs one thread after the other to
 * the end, and another fibre takes over when a thread waits. A kernel without a barrier so runs in a
 * plain loop.
 *
 * The OS threads are the fake's own and not known to the JVM. A memory fault on one of them ends the
 * launch with an error; every other fault goes to the handler that was there before, the JVM's.
 */
#include "launch.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <thread>

#include "fake.h"

#ifndef __x86_64__
#error "the fibres are written for x86-64"
#endif

namespace fake {
namespace {

constexpr size_t STACK = 128 << 10;
constexpr size_t PAGE = 4096;
constexpr int WARP = 32;
constexpr auto WATCHDOG = std::chrono::seconds(60);

/* Saves the registers that a function must preserve on the stack, and goes on at another stack. */
extern "C" void fakeSwitchStack(void **from, void *to);
__asm__(
    ".text\n"
    ".type fakeSwitchStack,@function\n"
    "fakeSwitchStack:\n"
    "  push %rbp\n  push %rbx\n  push %r12\n  push %r13\n  push %r14\n  push %r15\n"
    "  mov %rsp,(%rdi)\n"
    "  mov %rsi,%rsp\n"
    "  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n  pop %rbx\n  pop %rbp\n"
    "  ret\n"
    ".size fakeSwitchStack,.-fakeSwitchStack\n");

struct Fibre {
  char *memory;
  void *stack;

  Fibre() {
    memory = static_cast<char *>(mmap(nullptr, STACK + PAGE, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    mprotect(memory, PAGE, PROT_NONE); /* a stack that overflows faults */
  }

  void start(void (*entry)()) {
    void **top = reinterpret_cast<void **>(memory + PAGE + STACK);
    *--top = nullptr; /* keeps the stack of entry aligned as after a call */
    *--top = reinterpret_cast<void *>(entry);
    for (int i = 0; i < 6; i++) {
      *--top = nullptr;
    }
    stack = top;
  }
};

/* The memory of a block that its launch asks for. What lies behind it faults. */
class SharedMemory {
 public:
  /* So many bytes that are no number. */
  void *of(size_t bytes) {
    if (bytes > size) {
      if (end != nullptr) {
        munmap(end - size, size + PAGE);
      }
      size = (bytes + PAGE - 1) / PAGE * PAGE;
      char *memory = static_cast<char *>(mmap(nullptr, size + PAGE, PROT_READ | PROT_WRITE,
                                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
      end = memory + size;
      mprotect(end, PAGE, PROT_NONE);
    }
    return memset(end - bytes, 0xff, bytes);
  }

 private:
  size_t size = 0;
  char *end = nullptr;
};

/* Where a fault in a kernel on this OS thread goes; initial-exec, so that a handler may read it. */
struct Recovery {
  sigjmp_buf jump;
  void *address;
};
__attribute__((tls_model("initial-exec"))) thread_local Recovery *recovery;
/* Whether the thread is in a kernel, and so holds no lock of the C library. */
__attribute__((tls_model("initial-exec"))) thread_local volatile sig_atomic_t inKernel;

enum class Waiting { NOTHING, BLOCK, WARP };

/* A thread of the block that has begun and not ended. */
struct Parked {
  int thread;
  Fibre *fibre;
  Waiting waiting;
  unsigned generation; /* of the barrier it waits at */
};

/* Runs the blocks of one launch on the current OS thread. */
class BlockRunner {
 public:
  /* False if the threads of the block did not all arrive at the same barriers. */
  bool run(const Launch &launch, uint3 block, void **parameters, bool reversed);

  const emulation::Context &place() const { return context; }

  static thread_local BlockRunner *current;

 private:
  void begin(const Launch &launch, uint3 block);
  void place(int thread);
  void runThreads();
  void park(Waiting waiting);
  void resume();
  bool ready(const Parked &parked) const;
  void releaseBarriers();
  Fibre *newFibre();

  static void entry() { current->runThreads(); }
  static void waitForBlock(emulation::Context *) { current->park(Waiting::BLOCK); }
  static void waitForWarp(emulation::Context *) { current->park(Waiting::WARP); }
  /* sched_yield would keep the processor for as long as the kernel thinks fair. */
  static void yield(emulation::Context *) {
    const timespec moment = {0, 1000};
    nanosleep(&moment, nullptr);
  }
  static void noYield(emulation::Context *) {}

  emulation::Context context{};
  const emulation::Kernel *kernel = nullptr;
  void **parameters = nullptr;
  int threads = 0;
  bool reversed = false;

  int started = 0;
  int ended = 0;
  int running = 0; /* the thread that runs */
  Fibre *fibre = nullptr;
  void *scheduler = nullptr;
  bool endedFibre = false;
  Parked *resumed = nullptr;

  int atBlock = 0;
  unsigned blockGeneration = 0;
  std::vector<int> atWarp, endedInWarp;
  std::vector<unsigned> warpGeneration;
  std::vector<Parked> parked;
  std::vector<uint64_t> lanes;
  std::vector<unsigned> shuffles;
  SharedMemory shared;

  std::vector<std::unique_ptr<Fibre>> fibres; /* kept for the next block */
  size_t usedFibres = 0;
};

thread_local BlockRunner *BlockRunner::current;

void BlockRunner::begin(const Launch &launch, uint3 block) {
  kernel = launch.kernel;
  threads = int(launch.block.x * launch.block.y * launch.block.z);
  const size_t warps = size_t(threads + WARP - 1) / WARP;
  context.block = block;
  context.blockSize = launch.block;
  context.gridSize = launch.grid;
  context.waitForBlock = waitForBlock;
  context.waitForWarp = waitForWarp;
  context.yield = launch.cooperative ? yield : noYield;
  context.late = reversed;
  context.shared = launch.shared == 0 ? nullptr : shared.of(launch.shared);
  started = ended = atBlock = 0;
  resumed = nullptr;
  parked.clear();
  parked.reserve(size_t(threads)); /* a fibre must not allocate: see onAbandon */
  usedFibres = 0;
  atWarp.assign(warps, 0);
  endedInWarp.assign(warps, 0);
  warpGeneration.assign(warps, 0);
  lanes.resize(warps * 2 * 32);
  shuffles.assign(size_t(threads), 0);
}

void BlockRunner::place(int thread) {
  running = thread;
  const dim3 &size = context.blockSize;
  const unsigned t = unsigned(thread);
  context.thread = {t % size.x, t / size.x % size.y, t / (size.x * size.y)};
  context.lanes = reinterpret_cast<uint64_t(*)[32]>(lanes.data()) + thread / WARP * 2;
  context.shuffles = &shuffles[size_t(thread)];
}

/* What a fibre does: threads, one after the other, until all have begun. */
void BlockRunner::runThreads() {
  while (started < threads) {
    place(reversed ? threads - 1 - started : started);
    started++;
    kernel->call(parameters);
    ended++;
    endedInWarp[size_t(running / WARP)]++;
    if (resumed != nullptr) {
      break; /* it had waited: back to those who wait with it */
    }
  }
  endedFibre = true;
  fakeSwitchStack(&fibre->stack, scheduler);
}

void BlockRunner::park(Waiting waiting) {
  const size_t warp = size_t(running / WARP);
  unsigned generation = blockGeneration;
  if (waiting == Waiting::BLOCK) {
    atBlock++;
  } else {
    atWarp[warp]++;
    generation = warpGeneration[warp];
  }
  if (resumed != nullptr) {
    resumed->waiting = waiting;
    resumed->generation = generation;
  } else {
    parked.push_back({running, fibre, waiting, generation});
  }
  fakeSwitchStack(&fibre->stack, scheduler);
}

void BlockRunner::resume() {
  inKernel = 1;
  fakeSwitchStack(&scheduler, fibre->stack);
  inKernel = 0;
}

bool BlockRunner::ready(const Parked &p) const {
  return p.waiting == Waiting::BLOCK ? p.generation != blockGeneration
                                     : p.generation != warpGeneration[size_t(p.thread / WARP)];
}

/* A barrier opens when all threads wait at it: one that has ended would never arrive. */
void BlockRunner::releaseBarriers() {
  if (atBlock == threads) {
    atBlock = 0;
    blockGeneration++;
  }
  for (size_t warp = 0; warp < atWarp.size(); warp++) {
    const int size = std::min(WARP, threads - int(warp) * WARP);
    if (atWarp[warp] == size) {
      atWarp[warp] = 0;
      warpGeneration[warp]++;
    }
  }
}

Fibre *BlockRunner::newFibre() {
  if (usedFibres == fibres.size()) {
    fibres.push_back(std::make_unique<Fibre>());
  }
  return fibres[usedFibres++].get();
}

bool BlockRunner::run(const Launch &launch, uint3 block, void **values, bool backwards) {
  current = this;
  parameters = values;
  reversed = backwards;
  begin(launch, block);
  kernel->enter(&context);
  while (started < threads) {
    fibre = newFibre();
    fibre->start(entry);
    resume();
  }
  while (ended < threads) {
    releaseBarriers();
    bool progress = false;
    for (Parked &p : parked) {
      if (p.waiting == Waiting::NOTHING || !ready(p)) {
        continue;
      }
      progress = true;
      resumed = &p;
      fibre = p.fibre;
      place(p.thread);
      endedFibre = false;
      resume();
      if (endedFibre) {
        p.waiting = Waiting::NOTHING;
      }
    }
    if (!progress) {
      return false;
    }
  }
  return true;
}

/* What the OS threads of one launch share. */
struct Job {
  const Launch *launch;
  bool reversed;
  std::vector<void *> parameters;
  std::mutex mutex;
  std::condition_variable changed;
  int unfinished = 0;
  int status = CUDA_SUCCESS;
  std::string message;

  void finish(int result, const std::string &text) {
    std::lock_guard<std::mutex> lock(mutex);
    if (result != CUDA_SUCCESS && status == CUDA_SUCCESS) {
      status = result;
      message = text;
    }
    unfinished--;
    changed.notify_all();
  }
};

constexpr int FAULT = 1;
constexpr int ABANDON = 2;

struct sigaction previousHandlers[2];

int abandonSignal() { return SIGRTMIN + 7; }

void onFault(int signal, siginfo_t *info, void *registers) {
  if (inKernel) {
    inKernel = 0;
    recovery->address = info->si_addr;
    siglongjmp(recovery->jump, FAULT);
  }
  const struct sigaction &previous = previousHandlers[signal == SIGBUS];
  if (previous.sa_flags & SA_SIGINFO) {
    previous.sa_sigaction(signal, info, registers);
  } else if (previous.sa_handler == SIG_DFL || previous.sa_handler == SIG_IGN) {
    sigaction(signal, &previous, nullptr); /* the fault comes again and takes its usual course */
  } else {
    previous.sa_handler(signal);
  }
}

void onAbandon(int) {
  if (inKernel) {
    inKernel = 0;
    siglongjmp(recovery->jump, ABANDON);
  }
}

void installHandlers() {
  const int signals[] = {SIGSEGV, SIGBUS};
  for (int i = 0; i < 2; i++) {
    sigaction(signals[i], nullptr, &previousHandlers[i]);
    struct sigaction ours = previousHandlers[i];
    ours.sa_sigaction = onFault;
    ours.sa_flags = (ours.sa_flags | SA_SIGINFO | SA_ONSTACK) & ~int(SA_RESETHAND);
    sigaction(signals[i], &ours, nullptr);
  }
  struct sigaction abandon = {};
  abandon.sa_handler = onAbandon;
  abandon.sa_flags = SA_ONSTACK;
  sigaction(abandonSignal(), &abandon, nullptr);
}

/* One OS thread, which waits for blocks to run. */
class Worker {
 public:
  Worker() : thread([this] { serve(); }), handle(thread.native_handle()) { thread.detach(); }

  void give(Job *next, size_t from, size_t to) {
    std::lock_guard<std::mutex> lock(mutex);
    job = next;
    first = from;
    end = to;
    changed.notify_one();
  }

  /* Ends the current job, whatever it is doing. */
  void abandon() { pthread_kill(handle, abandonSignal()); }

 private:
  void serve() {
    sigset_t blocked;
    sigfillset(&blocked);
    for (int allowed : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, abandonSignal()}) {
      sigdelset(&blocked, allowed);
    }
    pthread_sigmask(SIG_SETMASK, &blocked, nullptr);
    stack_t alternate = {};
    alternate.ss_size = 64 << 10;
    alternate.ss_sp = new char[alternate.ss_size];
    sigaltstack(&alternate, nullptr);
    for (;;) {
      Job *mine;
      {
        std::unique_lock<std::mutex> lock(mutex);
        changed.wait(lock, [this] { return job != nullptr; });
        mine = job;
        job = nullptr;
      }
      serve(mine);
    }
  }

  void serve(Job *mine) {
    Recovery here = {};
    recovery = &here;
    std::string message;
    int status = CUDA_SUCCESS;
    switch (sigsetjmp(here.jump, 1)) {
      case 0:
        status = runBlocks(mine, message);
        break;
      case FAULT: {
        const uint3 thread = runner.place().thread, block = runner.place().block;
        char text[300];
        snprintf(text, sizeof text, "%s: block (%u, %u, %u), thread (%u, %u, %u): access to %s",
                 mine->launch->kernel->name, block.x, block.y, block.z, thread.x, thread.y,
                 thread.z, describeAddress(here.address).c_str());
        message = text;
        status = CUDA_ERROR_ILLEGAL_ADDRESS;
        break;
      }
      default:
        message = std::string(mine->launch->kernel->name) + ": abandoned, its blocks did not end";
        status = CUDA_ERROR_LAUNCH_TIMEOUT;
    }
    mine->finish(status, message);
  }

  int runBlocks(Job *mine, std::string &message) {
    const dim3 grid = mine->launch->grid;
    for (size_t b = first; b < end; b++) {
      const uint3 block = {unsigned(b % grid.x), unsigned(b / grid.x % grid.y),
                           unsigned(b / grid.x / grid.y)};
      if (!runner.run(*mine->launch, block, mine->parameters.data(), mine->reversed)) {
        message = std::string(mine->launch->kernel->name) +
                  ": not all threads of a block arrive at the same barrier";
        return CUDA_ERROR_LAUNCH_FAILED;
      }
    }
    return CUDA_SUCCESS;
  }

  BlockRunner runner;
  std::mutex mutex;
  std::condition_variable changed;
  Job *job = nullptr;
  size_t first = 0, end = 0;
  std::thread thread; /* begins when all above it is there */
  pthread_t handle;
};

}  // namespace

int run(const Launch &launch, bool reversed, std::string &message) {
  static std::once_flag installed;
  std::call_once(installed, installHandlers);
  static std::vector<Worker *> workers; /* only one launch runs at a time */

  Job job;
  job.launch = &launch;
  job.reversed = reversed;
  for (const auto &value : launch.parameters) {
    job.parameters.push_back(const_cast<char *>(value.data()));
  }
  const size_t blocks = size_t(launch.grid.x) * launch.grid.y * launch.grid.z;
  const size_t threads = launch.cooperative ? blocks : 1;
  while (workers.size() < threads) {
    workers.push_back(new Worker);
  }
  job.unfinished = int(threads);
  for (size_t i = 0; i < threads; i++) {
    workers[i]->give(&job, i * blocks / threads, (i + 1) * blocks / threads);
  }
  std::unique_lock<std::mutex> lock(job.mutex);
  job.changed.wait_for(lock, WATCHDOG,
                       [&] { return job.unfinished == 0 || job.status != CUDA_SUCCESS; });
  while (job.unfinished > 0) {
    /* Blocks may be waiting for one that has failed. */
    lock.unlock();
    for (size_t i = 0; i < threads; i++) {
      workers[i]->abandon();
    }
    lock.lock();
    job.changed.wait_for(lock, std::chrono::milliseconds(50), [&] { return job.unfinished == 0; });
  }
  message = job.message;
  return job.status;
}

}  // namespace fake
