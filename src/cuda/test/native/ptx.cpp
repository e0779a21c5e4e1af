#include "ptx.h"

#include <cstdio>
#include <cstring>
#include <sstream>

namespace fake {
namespace {

constexpr char HEADER[] = "// deltarule: ";

bool startsWith(const std::string &s, const char *prefix) {
  return s.compare(0, strlen(prefix), prefix) == 0;
}

std::string trimmed(const std::string &line) {
  const size_t first = line.find_first_not_of(" \t");
  const size_t last = line.find_last_not_of(" \t\r");
  return first == std::string::npos ? "" : line.substr(first, last - first + 1);
}

/* The bytes of a declaration such as ".param .align 4 .b8 name[12]" or ".param .u64 .ptr name". */
size_t declaredBytes(const std::string &declaration) {
  std::istringstream words(declaration);
  std::string word;
  size_t bytes = 0;
  while (words >> word && bytes == 0) {
    unsigned bits;
    char kind;
    if (sscanf(word.c_str(), ".%c%u", &kind, &bits) == 2 && strchr("bsuf", kind) != nullptr) {
      bytes = bits / 8;
    } else if (word == ".pred") {
      bytes = 1;
    }
  }
  const size_t bracket = declaration.find('[');
  return bracket == std::string::npos ? bytes
                                      : bytes * strtoul(&declaration[bracket + 1], nullptr, 10);
}

}  // namespace

bool parse(const std::string &text, Ptx &ptx, std::string &error) {
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  if (!startsWith(line, HEADER)) {
    error = std::string("its first line does not begin with \"") + HEADER + "\"";
    return false;
  }
  ptx.header = trimmed(line.substr(strlen(HEADER)));
  ptx.module = ptx.header.substr(0, ptx.header.find(' '));
  bool inParameters = false;
  while (std::getline(lines, line)) {
    line = trimmed(line);
    int major, minor;
    if (sscanf(line.c_str(), ".version %d.%d", &major, &minor) == 2) {
      ptx.version = 10 * major + minor;
    } else if (startsWith(line, ".target sm_")) {
      ptx.target = atoi(&line[strlen(".target sm_")]);
    }
    const size_t entry = line.find(".entry ");
    if (startsWith(line, "//")) {
      continue;
    }
    if (entry != std::string::npos) {
      const size_t from = entry + strlen(".entry ");
      ptx.entries.emplace_back();
      ptx.entries.back().name = trimmed(line.substr(from, line.find_first_of("(", from) - from));
      inParameters = line.find(')') == std::string::npos;
    } else if (ptx.entries.empty()) {
      continue;
    } else if (startsWith(line, ".param ") && inParameters) {
      ptx.entries.back().parameters.push_back(declaredBytes(line));
    } else if (startsWith(line, ".maxntid ")) {
      unsigned n[3] = {1, 1, 1};
      sscanf(line.c_str(), ".maxntid %u, %u, %u", &n[0], &n[1], &n[2]);
      ptx.entries.back().maxThreads = n[0] * n[1] * n[2];
    } else if (startsWith(line, ".shared ")) {
      ptx.entries.back().shared += declaredBytes(line);
    }
    if (startsWith(line, ")")) {
      inParameters = false;
    }
  }
  if (ptx.version == 0 || ptx.target == 0) {
    error = ".version or .target is missing";
    return false;
  }
  return true;
}

}  // namespace fake
