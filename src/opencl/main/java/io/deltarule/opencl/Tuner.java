package io.deltarule.opencl;

import java.util.function.Consumer;

final class Tuner {
  Tuner(Device device, CacheFolder cache, Consumer<String> progress) {}

  void run(double seconds) {}
}
