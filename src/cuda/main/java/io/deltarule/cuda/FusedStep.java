package io.deltarule.cuda;

import java.util.List;

final class FusedStep {
  FusedStep(Launcher launcher, Kernels kernels, Products products, Device device) {}

  boolean launch(List<Op> ops, Workspace workspace) {
    return false;
  }
}
