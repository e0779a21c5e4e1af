#include "streams.h"

#include <algorithm>
#include <chrono>
#include <deque>

namespace fake {

Registry<Context> contexts;
Registry<Stream> streams;
Registry<Event> events;
Registry<Graph> graphs;
Registry<ExecutableGraph> executableGraphs;

namespace {

std::deque<Order> pending; /* in the order of the calls, so what comes before is in front */
unsigned lastMark;

double now() {
  using namespace std::chrono;
  return duration<double, std::milli>(steady_clock::now().time_since_epoch()).count();
}

void perform(Operation &operation) {
  std::string message;
  if (operation.context->status == CUDA_SUCCESS) {
    operation.context->status = operation.work(message);
    if (!message.empty()) {
      misuse("%s", message.c_str());
    }
  }
  operation.done = true;
  operation.after.clear();
  operation.work = nullptr;
}

/* Marks all that must be done before the target is, itself included. */
unsigned markBefore(const Order &target) {
  const unsigned mark = ++lastMark;
  std::vector<Operation *> open{target.get()};
  while (!open.empty()) {
    Operation *operation = open.back();
    open.pop_back();
    if (operation->done || operation->mark == mark) {
      continue;
    }
    operation->mark = mark;
    for (const Order &before : operation->after) {
      open.push_back(before.get());
    }
  }
  return mark;
}

void runUntil(const Order &target) {
  if (isDone(target)) {
    return;
  }
  const unsigned mark = markBefore(target);
  if (schedule == Schedule::OTHERS_FIRST) {
    for (const Order &other : pending) {
      const bool free = std::all_of(other->after.begin(), other->after.end(), isDone);
      if (other->mark != mark && free) {
        perform(*other);
      }
    }
  }
  for (const Order &operation : pending) {
    if (operation->mark == mark && !operation->done) {
      perform(*operation);
    }
  }
  pending.erase(std::remove_if(pending.begin(), pending.end(), isDone), pending.end());
}

Order append(Stream *stream, std::vector<Order> after, Work work) {
  auto operation = std::make_shared<Operation>();
  operation->context = stream->context;
  operation->work = std::move(work);
  operation->after = std::move(after);
  operation->after.push_back(stream->last);
  Context *context = stream->context;
  if (stream == &context->nullStream) {
    for (Stream *other : streams.all()) {
      if (other->context == context && other->blocking) {
        operation->after.push_back(other->last);
      }
    }
  } else if (stream->blocking) {
    operation->after.push_back(context->nullStream.last);
  }
  auto &all = operation->after;
  all.erase(std::remove_if(all.begin(), all.end(), isDone), all.end());
  stream->last = operation;
  pending.push_back(operation);
  if (schedule == Schedule::EAGER) {
    runUntil(operation);
  }
  return operation;
}

/* The null stream waits for blocking streams, which a capture cannot express. */
int refuseImplicit(Stream *stream) {
  if (stream != &stream->context->nullStream) {
    return CUDA_SUCCESS;
  }
  for (Stream *other : streams.all()) {
    if (other->context == stream->context && other->blocking && other->capture) {
      other->capture->invalidated = true;
      return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
    }
  }
  return CUDA_SUCCESS;
}

int refuseInvalidated(const Stream *stream) {
  return stream->capture && stream->capture->invalidated ? CUDA_ERROR_STREAM_CAPTURE_INVALIDATED
                                                         : CUDA_SUCCESS;
}

int nothing(std::string &) { return CUDA_SUCCESS; }

void join(std::vector<size_t> &into, const std::vector<size_t> &more) {
  for (size_t node : more) {
    if (std::find(into.begin(), into.end(), node) == into.end()) {
      into.push_back(node);
    }
  }
}

/* Whether every node is one of the last or before one of them. */
bool allJoined(const std::vector<Node> &nodes, const std::vector<size_t> &last) {
  std::vector<bool> before(nodes.size(), false);
  for (size_t node : last) {
    before[node] = true;
  }
  for (size_t i = nodes.size(); i-- > 0;) {
    for (size_t earlier : nodes[i].after) {
      before[earlier] = before[earlier] || before[i];
    }
  }
  return std::find(before.begin(), before.end(), false) == before.end();
}

}  // namespace

bool isDone(const Order &order) { return order == nullptr || order->done; }

int enqueue(Stream *stream, Work work) {
  if (int refused = refuseInvalidated(stream)) {
    return refused;
  }
  if (stream->capture) {
    auto &nodes = stream->capture->nodes;
    nodes.push_back({std::move(work), stream->captured});
    stream->captured = {nodes.size() - 1};
    return CUDA_SUCCESS;
  }
  if (int refused = refuseImplicit(stream)) {
    return refused;
  }
  append(stream, {}, std::move(work));
  return stream->context->status;
}

int record(Event *event, Stream *stream) {
  if (event->context != stream->context) {
    return CUDA_ERROR_INVALID_HANDLE;
  }
  if (int refused = refuseInvalidated(stream)) {
    return refused;
  }
  event->capture = stream->capture;
  event->captured = stream->captured;
  if (stream->capture) {
    return CUDA_SUCCESS;
  }
  if (int refused = refuseImplicit(stream)) {
    return refused;
  }
  auto time = std::make_shared<double>(0);
  event->milliseconds = time;
  event->record = append(stream, {}, [time](std::string &) {
    *time = now();
    return CUDA_SUCCESS;
  });
  return stream->context->status;
}

int wait(Stream *stream, Event *event) {
  if (int refused = refuseInvalidated(stream)) {
    return refused;
  }
  if (event->capture) {
    if (event->capture->ended || stream == &stream->context->nullStream) {
      return CUDA_ERROR_STREAM_CAPTURE_ISOLATION;
    }
    if (stream->capture && stream->capture != event->capture) {
      stream->capture->invalidated = event->capture->invalidated = true;
      return CUDA_ERROR_STREAM_CAPTURE_MERGE;
    }
    if (!stream->capture) { /* the stream now takes part in the capture */
      stream->capture = event->capture;
      stream->captured.clear();
    }
    join(stream->captured, event->captured);
    return CUDA_SUCCESS;
  }
  if (stream->capture) {
    stream->capture->invalidated = true;
    return CUDA_ERROR_STREAM_CAPTURE_ISOLATION;
  }
  if (isDone(event->record)) {
    return stream->context->status;
  }
  append(stream, {event->record}, nothing);
  return stream->context->status;
}

int launch(ExecutableGraph *graph, Stream *stream) {
  if (stream->capture) {
    stream->capture->invalidated = true;
    misuse("[cuGraphLaunch] into a capturing stream, which the fake does not emulate");
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  }
  if (int refused = refuseImplicit(stream)) {
    return refused;
  }
  /* Branches of the graph are free of each other: they hang on the same beginning. */
  const Order begin = append(stream, {graph->last}, nothing);
  const size_t count = graph->nodes.size();
  std::vector<Order> made(count);
  std::vector<bool> placed(count, false);
  std::vector<Order> all;
  while (all.size() < count) {
    for (size_t k = 0; k < count; k++) {
      const size_t i = schedule == Schedule::OTHERS_FIRST ? count - 1 - k : k;
      const Node &node = graph->nodes[i];
      const bool ready = std::all_of(node.after.begin(), node.after.end(),
                                     [&](size_t before) { return bool(placed[before]); });
      if (placed[i] || !ready) {
        continue;
      }
      auto operation = std::make_shared<Operation>();
      operation->context = stream->context;
      operation->work = node.work;
      operation->after.push_back(begin);
      for (size_t before : node.after) {
        operation->after.push_back(made[before]);
      }
      pending.push_back(operation);
      made[i] = operation;
      placed[i] = true;
      all.push_back(operation);
      if (schedule == Schedule::OTHERS_FIRST) {
        break; /* the newest that is ready: what an older one waits for may have to wait longer */
      }
    }
  }
  graph->last = append(stream, all, nothing);
  return stream->context->status;
}

int synchronize(Stream *stream) {
  if (stream->capture) {
    stream->capture->invalidated = true;
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  }
  if (stream == &stream->context->nullStream) {
    append(stream, {}, nothing); /* it follows the blocking streams */
  }
  runUntil(stream->last);
  return stream->context->status;
}

int synchronize(Event *event) {
  if (event->capture && !event->capture->ended) {
    event->capture->invalidated = true;
    return CUDA_ERROR_CAPTURED_EVENT;
  }
  runUntil(event->record);
  return event->context->status;
}

int synchronize(Context *context) {
  std::vector<Order> all;
  for (const Order &operation : pending) {
    if (operation->context == context) {
      all.push_back(operation);
    }
  }
  /* The youngest first, with all that it needs: nothing relies on the order of the calls. */
  if (schedule == Schedule::OTHERS_LAST) {
    std::reverse(all.begin(), all.end());
  }
  for (const Order &operation : all) {
    runUntil(operation);
  }
  return context->status;
}

int synchronizeAll(Context *context) {
  bool captures = false;
  for (Stream *stream : streams.all()) {
    if (stream->context == context && stream->capture) {
      stream->capture->invalidated = captures = true;
    }
  }
  return captures ? int(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED) : synchronize(context);
}

int beginCapture(Stream *stream, int mode) {
  if (stream == &stream->context->nullStream) {
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  }
  if (stream->capture) {
    return CUDA_ERROR_ILLEGAL_STATE;
  }
  stream->capture = std::make_shared<Capture>();
  stream->capture->origin = stream;
  stream->capture->thread = std::this_thread::get_id();
  stream->capture->mode = mode;
  stream->captured.clear();
  return CUDA_SUCCESS;
}

int endCapture(Stream *stream, Graph **graph) {
  constexpr int RELAXED = 2;
  *graph = nullptr;
  const std::shared_ptr<Capture> capture = stream->capture;
  if (!capture) {
    return CUDA_ERROR_ILLEGAL_STATE;
  }
  if (capture->origin != stream) {
    capture->invalidated = true;
    return CUDA_ERROR_STREAM_CAPTURE_UNMATCHED;
  }
  if (capture->mode != RELAXED && capture->thread != std::this_thread::get_id()) {
    return CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
  }
  const std::vector<size_t> last = stream->captured;
  capture->ended = true;
  for (Stream *other : streams.all()) {
    if (other->capture == capture) {
      other->capture.reset();
      other->captured.clear();
    }
  }
  if (capture->invalidated) {
    return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  }
  if (!allJoined(capture->nodes, last)) {
    return CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
  }
  *graph = graphs.add(new Graph{stream->context, capture->nodes});
  return CUDA_SUCCESS;
}

int refuseDuringCapture(const char *call) {
  constexpr int GLOBAL = 0, RELAXED = 2;
  for (Stream *stream : streams.all()) {
    const auto &capture = stream->capture;
    if (!capture || capture->mode == RELAXED || capture->origin != stream ||
        (capture->mode != GLOBAL && capture->thread != std::this_thread::get_id())) {
      continue;
    }
    capture->invalidated = true;
    misuse("[%s] during a capture", call);
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  }
  return CUDA_SUCCESS;
}

void finish(Context *context) {
  synchronize(context);
  for (const Order &operation : pending) {
    operation->done = operation->done || operation->context == context;
  }
  pending.erase(std::remove_if(pending.begin(), pending.end(), isDone), pending.end());
}

void forgetAll() {
  for (const Order &operation : pending) {
    operation->after.clear();
  }
  pending.clear();
}

}  // namespace fake
