/* Runs the host twins of kernels; see launch.cpp. */
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "twin.h"

namespace fake {

/* One launch, ready to run: the parameters have been copied. */
struct Launch {
  const emulation::Kernel *kernel;
  dim3 grid, block;
  size_t shared; /* bytes of memory of a block that the kernel does not declare */
  bool cooperative;
  std::vector<std::vector<char>> parameters;
};

/* Runs the launch to its end and returns a CUresult; what went wrong is said in message. */
int run(const Launch &launch, bool reversed, std::string &message);

}  // namespace fake
