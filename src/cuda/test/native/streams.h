/* Contexts, streams, events, captures and graphs: what is ordered before what. */
#pragma once

#include <memory>
#include <thread>

#include "fake.h"

namespace fake {

struct Context;
struct Stream;

/* Does the work; returns a CUresult, and says in words what went wrong. */
using Work = std::function<int(std::string &)>;

/* One piece of work in a stream. */
struct Operation {
  Context *context;
  Work work;
  std::vector<std::shared_ptr<Operation>> after;
  bool done = false;
  unsigned mark = 0;
};
using Order = std::shared_ptr<Operation>;

/* One piece of work in a graph; the nodes it comes after have smaller indices. */
struct Node {
  Work work;
  std::vector<size_t> after;
};

struct Graph {
  Context *context;
  std::vector<Node> nodes;
};

struct ExecutableGraph {
  Context *context;
  std::vector<Node> nodes;
  Order last; /* launches of one executable graph follow each other */
};

struct Capture {
  Stream *origin;
  std::thread::id thread;
  int mode;
  bool invalidated = false;
  bool ended = false;
  std::vector<Node> nodes;
};

struct Stream {
  Context *context;
  bool blocking; /* whether the null stream waits for it, and it for the null stream */
  Order last;
  std::shared_ptr<Capture> capture;
  std::vector<size_t> captured; /* the nodes that the next one comes after */
};

struct Event {
  Context *context;
  bool timed;
  Order record;
  std::shared_ptr<double> milliseconds;
  std::shared_ptr<Capture> capture; /* the one it was last recorded in, if it was */
  std::vector<size_t> captured;
};

struct Context {
  int device;
  bool primary;
  int references = 1;
  int status = CUDA_SUCCESS; /* once a kernel has failed, everything in its context fails */
  Stream nullStream;
  std::set<Context *> peers;

  Context(int device, bool primary)
      : device(device), primary(primary), nullStream{this, true, nullptr, nullptr, {}} {}
};

extern Registry<Context> contexts;
extern Registry<Stream> streams;
extern Registry<Event> events;
extern Registry<Graph> graphs;
extern Registry<ExecutableGraph> executableGraphs;

/* Adds work to the end of a stream, or to its capture. */
int enqueue(Stream *stream, Work work);
int record(Event *event, Stream *stream);
int wait(Stream *stream, Event *event);
int launch(ExecutableGraph *graph, Stream *stream);

/* Runs what must be done before these are; returns the status of the context. */
int synchronize(Stream *stream);
int synchronize(Event *event);
int synchronize(Context *context);
/* The same for whoever asks by name: refused, and fatal to them, while streams of the context capture. */
int synchronizeAll(Context *context);
bool isDone(const Order &order);

int beginCapture(Stream *stream, int mode);
int endCapture(Stream *stream, Graph **graph);
/* What a call must return that may not be made during this thread's capture; 0 outside of one. */
int refuseDuringCapture(const char *call);

/* Forgets pending work of a context that goes away, after running it. */
void finish(Context *context);
void forgetAll();

}  // namespace fake
