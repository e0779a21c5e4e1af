/* What a driver reads of a PTX file before it would assemble it. */
#pragma once

#include <string>
#include <vector>

namespace fake {

struct Entry {
  std::string name;
  std::vector<size_t> parameters; /* their sizes in bytes */
  unsigned maxThreads = 1024;     /* of a block */
  size_t shared = 0;              /* bytes of static memory of a block */
};

struct Ptx {
  std::string header; /* "<module> <source file> <options...>" of the first line */
  std::string module;
  int version = 0; /* of the language: 78 is 7.8 */
  int target = 0;  /* 75 is sm_75 */
  std::vector<Entry> entries;
};

/* False if this is no PTX of the project; error then says why. */
bool parse(const std::string &text, Ptx &ptx, std::string &error);

}  // namespace fake
