/*
 * A cuBLAS on the fake driver: the products that the engine uses, with plain loops, column-major as
 * cuBLAS has it. Products are work of the handle's stream: they are ordered and captured like kernels.
 *
 * Operands of the reduced precisions are rounded as the card does, to the nearest, ties to even
 * (bfloat16) or away from zero (TF32), and summed in float in an order of its own. A workspace must be set
 * after the stream, which takes it away, or a product is noted as misuse: the library's own would be
 * neither reproducible nor safe in a graph. Scalars are read from the host when the call is made.
 */
#include <cmath>
#include <cstring>
#include <set>
#include <string>

#include "streams.h"

FAKE_API int fakeEnqueue(void *stream, fake::Work work);
FAKE_API bool fakeUsable(CUdeviceptr address, size_t bytes, const char *call);
FAKE_API bool fakeHasContext();
FAKE_API void fakeSynchronizeAll();
FAKE_API void fakeMisuse(const char *message);
FAKE_API void fakeCountHandles(int more);
/* Another library has its own copy of the state, so it goes through functions only. */
FAKE_API void fakeLock();
FAKE_API void fakeUnlock();

namespace {

enum Status {
  SUCCESS = 0,
  NOT_INITIALIZED = 1,
  INVALID_VALUE = 7,
  EXECUTION_FAILED = 13,
  NOT_SUPPORTED = 15,
};

enum Type { FLOAT = 0, BFLOAT16 = 14 };

enum Compute { COMPUTE_32F = 68, COMPUTE_32F_PEDANTIC = 69, FAST_16BF = 75, FAST_TF32 = 77 };

enum MathMode { DEFAULT_MATH = 0, PEDANTIC_MATH = 2, TF32_MATH = 3 };

enum class Rounding { NONE, TF32, BFLOAT16 };

struct Handle {
  void *stream = nullptr;
  int mathMode = DEFAULT_MATH;
  bool workspace = false;
};

std::set<Handle *> handles;

struct Guard {
  Guard() { fakeLock(); }
  ~Guard() { fakeUnlock(); }
};

Handle *find(void *handle) {
  Handle *h = static_cast<Handle *>(handle);
  return handles.count(h) > 0 ? h : nullptr;
}

#define ENTER_CUBLAS(call)                       \
  Guard guard;                                   \
  if (const int injected = fakeEnter(#call)) {   \
    return injected;                             \
  }

#define ENTER_HANDLE(call)          \
  ENTER_CUBLAS(call)                \
  Handle *h = find(handle);         \
  if (h == nullptr) {               \
    return NOT_INITIALIZED;         \
  }

uint32_t bitsOf(float f) {
  uint32_t bits;
  memcpy(&bits, &f, sizeof bits);
  return bits;
}

float ofBits(uint32_t bits) {
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

float roundToTf32(float f) {
  return std::isfinite(f) ? ofBits((bitsOf(f) + 0x1000) & ~0x1FFFu) : f;
}

uint16_t toBfloat16(float f) {
  const uint32_t bits = bitsOf(f);
  if (std::isnan(f)) {
    return uint16_t(bits >> 16 | 0x40); /* stays a NaN */
  }
  return uint16_t((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

float ofBfloat16(uint16_t b) { return ofBits(uint32_t(b) << 16); }

float rounded(float f, Rounding rounding) {
  switch (rounding) {
    case Rounding::TF32: return roundToTf32(f);
    case Rounding::BFLOAT16: return ofBfloat16(toBfloat16(f));
    default: return f;
  }
}

size_t bytesOf(Type type) { return type == FLOAT ? 4 : 2; }

/* A column-major matrix in device memory. */
struct Matrix {
  const char *data;
  Type type;
  int rows, columns, leading;

  size_t bytes() const {
    return columns == 0 || rows == 0 ? 0
                                     : bytesOf(type) * (size_t(leading) * (columns - 1) + rows);
  }
  float at(size_t row, size_t column) const {
    const char *p = data + bytesOf(type) * (column * size_t(leading) + row);
    if (type == FLOAT) {
      float f;
      memcpy(&f, p, sizeof f);
      return f;
    }
    uint16_t b;
    memcpy(&b, p, sizeof b);
    return ofBfloat16(b);
  }
  void set(size_t row, size_t column, float value) const {
    char *p = const_cast<char *>(data) + bytesOf(type) * (column * size_t(leading) + row);
    if (type == FLOAT) {
      memcpy(p, &value, sizeof value);
    } else {
      const uint16_t b = toBfloat16(value);
      memcpy(p, &b, sizeof b);
    }
  }
};

/* C = alpha op(A) op(B) + beta C */
struct Product {
  bool transposeA, transposeB;
  int m, n, k;
  float alpha, beta;
  Matrix a, b, c;
  Rounding rounding;

  /* op(X) rounded, column by column, so that the loops below run over memory in order. */
  std::vector<float> factor(const Matrix &x, bool transpose, int rows, int columns) const {
    std::vector<float> values(size_t(rows) * columns);
    for (int j = 0; j < columns; j++) {
      for (int i = 0; i < rows; i++) {
        const float value = transpose ? x.at(j, i) : x.at(i, j);
        values[size_t(j) * rows + i] = rounded(value, rounding);
      }
    }
    return values;
  }

  void compute() const {
    const std::vector<float> left = factor(a, transposeA, m, k);
    const std::vector<float> right = factor(b, transposeB, k, n);
    std::vector<float> column(m);
    for (int j = 0; j < n; j++) {
      std::fill(column.begin(), column.end(), 0.0f);
      for (int p = 0; p < k; p++) {
        const float factor = right[size_t(j) * k + p];
        const float *line = &left[size_t(p) * m];
        for (int i = 0; i < m; i++) {
          column[i] += factor * line[i];
        }
      }
      for (int i = 0; i < m; i++) {
        const float old = beta == 0 ? 0.0f : beta * c.at(i, j);
        c.set(i, j, alpha * column[i] + old);
      }
    }
  }
};

bool isType(int type) { return type == FLOAT || type == BFLOAT16; }

bool shapesAreValid(const Product &p) {
  return p.m >= 0 && p.n >= 0 && p.k >= 0 && p.a.leading >= std::max(1, p.a.rows) &&
         p.b.leading >= std::max(1, p.b.rows) && p.c.leading >= std::max(1, p.m);
}

int multiply(Handle *h, const char *call, const Product &product) {
  if (!shapesAreValid(product)) {
    fakeMisuse((std::string("[") + call + "] invalid sizes").c_str());
    return INVALID_VALUE;
  }
  if (product.m == 0 || product.n == 0) {
    return SUCCESS;
  }
  if (!h->workspace) {
    fakeMisuse((std::string("[") + call + "] no workspace was set after the stream").c_str());
  }
  for (const Matrix &x : {product.a, product.b, product.c}) {
    if (x.bytes() > 0 && !fakeUsable(CUdeviceptr(x.data), x.bytes(), call)) {
      return EXECUTION_FAILED;
    }
  }
  const int status = fakeEnqueue(h->stream, [product](std::string &) {
    product.compute();
    return CUDA_SUCCESS;
  });
  return status == CUDA_SUCCESS ? SUCCESS : EXECUTION_FAILED;
}

/* What the types of the operands and of the computation make of the factors; false if unsupported. */
bool roundingOf(const Handle &h, Type type, int compute, Rounding &rounding) {
  rounding = Rounding::NONE;
  switch (compute) {
    case COMPUTE_32F:
      if (type == FLOAT && h.mathMode == TF32_MATH) {
        rounding = Rounding::TF32;
      }
      return true;
    case COMPUTE_32F_PEDANTIC:
      return true;
    case FAST_TF32:
      rounding = Rounding::TF32;
      return type == FLOAT;
    case FAST_16BF:
      rounding = Rounding::BFLOAT16;
      return type == FLOAT;
    default:
      return false;
  }
}

/* The arguments of a product, as all of the functions below have them. */
struct Arguments {
  int transposeA, transposeB, m, n, k;
  const void *alpha, *a;
  int typeA, leadingA;
  const void *b;
  int typeB, leadingB;
  const void *beta;
  void *c;
  int typeC, leadingC, compute;
};

int prepare(Handle *h, const char *call, const Arguments &x, Product &product) {
  constexpr int CONJUGATE = 2;
  Rounding rounding;
  if (x.transposeA < 0 || x.transposeA > CONJUGATE || x.transposeB < 0 ||
      x.transposeB > CONJUGATE) {
    return INVALID_VALUE;
  }
  if (!isType(x.typeA) || x.typeA != x.typeB || !isType(x.typeC) ||
      (x.typeC != FLOAT && x.typeC != x.typeA) ||
      !roundingOf(*h, Type(x.typeA), x.compute, rounding)) {
    fakeMisuse((std::string("[") + call + "] types that cuBLAS does not support").c_str());
    return NOT_SUPPORTED;
  }
  const auto matrix = [](const void *data, int type, int rows, int columns, int leading) {
    return Matrix{static_cast<const char *>(data), Type(type), rows, columns, leading};
  };
  product = {x.transposeA != 0,
             x.transposeB != 0,
             x.m,
             x.n,
             x.k,
             *static_cast<const float *>(x.alpha),
             *static_cast<const float *>(x.beta),
             x.transposeA ? matrix(x.a, x.typeA, x.k, x.m, x.leadingA)
                          : matrix(x.a, x.typeA, x.m, x.k, x.leadingA),
             x.transposeB ? matrix(x.b, x.typeB, x.n, x.k, x.leadingB)
                          : matrix(x.b, x.typeB, x.k, x.n, x.leadingB),
             matrix(x.c, x.typeC, x.m, x.n, x.leadingC),
             rounding};
  return SUCCESS;
}

}  // namespace

FAKE_API int cublasCreate_v2(void **handle) {
  ENTER_CUBLAS(cublasCreate)
  if (!fakeHasContext()) {
    return NOT_INITIALIZED;
  }
  Handle *made = new Handle;
  handles.insert(made);
  fakeCountHandles(1);
  *handle = made;
  return SUCCESS;
}

FAKE_API int cublasDestroy_v2(void *handle) {
  ENTER_HANDLE(cublasDestroy)
  fakeSynchronizeAll(); /* with success, even where that has ended somebody's capture */
  handles.erase(h);
  delete h;
  fakeCountHandles(-1);
  return SUCCESS;
}

FAKE_API int cublasGetVersion_v2(void *handle, int *version) {
  ENTER_HANDLE(cublasGetVersion)
  *version = FAKE_CUBLAS_VERSION;
  return SUCCESS;
}

FAKE_API int cublasGetProperty(int property, int *value) {
  ENTER_CUBLAS(cublasGetProperty)
  constexpr int parts[] = {FAKE_CUBLAS_VERSION / 10000, FAKE_CUBLAS_VERSION / 100 % 100,
                           FAKE_CUBLAS_VERSION % 100};
  if (property < 0 || property > 2) {
    return INVALID_VALUE;
  }
  *value = parts[property];
  return SUCCESS;
}

FAKE_API int cublasSetStream_v2(void *handle, void *stream) {
  ENTER_HANDLE(cublasSetStream)
  h->stream = stream;
  h->workspace = false;
  return SUCCESS;
}

FAKE_API int cublasGetStream_v2(void *handle, void **stream) {
  ENTER_HANDLE(cublasGetStream)
  *stream = h->stream;
  return SUCCESS;
}

FAKE_API int cublasSetWorkspace_v2(void *handle, void *workspace, size_t bytes) {
  ENTER_HANDLE(cublasSetWorkspace)
  constexpr uintptr_t ALIGNMENT = 256;
  if (uintptr_t(workspace) % ALIGNMENT != 0 ||
      (bytes > 0 && !fakeUsable(CUdeviceptr(workspace), bytes, "cublasSetWorkspace"))) {
    return INVALID_VALUE;
  }
  h->workspace = bytes > 0;
  return SUCCESS;
}

FAKE_API int cublasSetMathMode(void *handle, int mode) {
  ENTER_HANDLE(cublasSetMathMode)
  if (mode != DEFAULT_MATH && mode != PEDANTIC_MATH && mode != TF32_MATH) {
    return INVALID_VALUE;
  }
  h->mathMode = mode;
  return SUCCESS;
}

FAKE_API int cublasGetMathMode(void *handle, int *mode) {
  ENTER_HANDLE(cublasGetMathMode)
  *mode = h->mathMode;
  return SUCCESS;
}

FAKE_API int cublasSetPointerMode_v2(void *handle, int mode) {
  ENTER_HANDLE(cublasSetPointerMode)
  (void)h;
  return mode == 0 ? SUCCESS : NOT_SUPPORTED; /* scalars lie on the host */
}

FAKE_API int cublasSgemm_v2(void *handle, int transposeA, int transposeB, int m, int n, int k,
                            const float *alpha, const float *a, int leadingA, const float *b,
                            int leadingB, const float *beta, float *c, int leadingC) {
  ENTER_HANDLE(cublasSgemm)
  const int compute = h->mathMode == PEDANTIC_MATH ? COMPUTE_32F_PEDANTIC : COMPUTE_32F;
  Product product;
  if (int refused = prepare(h, "cublasSgemm",
                            {transposeA, transposeB, m, n, k, alpha, a, FLOAT, leadingA, b, FLOAT,
                             leadingB, beta, c, FLOAT, leadingC, compute},
                            product)) {
    return refused;
  }
  return multiply(h, "cublasSgemm", product);
}

FAKE_API int cublasGemmEx(void *handle, int transposeA, int transposeB, int m, int n, int k,
                          const void *alpha, const void *a, int typeA, int leadingA, const void *b,
                          int typeB, int leadingB, const void *beta, void *c, int typeC,
                          int leadingC, int compute, int) {
  ENTER_HANDLE(cublasGemmEx)
  Product product;
  if (int refused = prepare(h, "cublasGemmEx",
                            {transposeA, transposeB, m, n, k, alpha, a, typeA, leadingA, b, typeB,
                             leadingB, beta, c, typeC, leadingC, compute},
                            product)) {
    return refused;
  }
  return multiply(h, "cublasGemmEx", product);
}

FAKE_API int cublasGemmStridedBatchedEx(void *handle, int transposeA, int transposeB, int m, int n,
                                        int k, const void *alpha, const void *a, int typeA,
                                        int leadingA, long long strideA, const void *b, int typeB,
                                        int leadingB, long long strideB, const void *beta, void *c,
                                        int typeC, int leadingC, long long strideC, int count,
                                        int compute, int) {
  ENTER_HANDLE(cublasGemmStridedBatchedEx)
  Product product;
  if (int refused = prepare(h, "cublasGemmStridedBatchedEx",
                            {transposeA, transposeB, m, n, k, alpha, a, typeA, leadingA, b, typeB,
                             leadingB, beta, c, typeC, leadingC, compute},
                            product)) {
    return refused;
  }
  for (int i = 0; i < count; i++) {
    if (int status = multiply(h, "cublasGemmStridedBatchedEx", product)) {
      return status;
    }
    product.a.data += strideA * bytesOf(product.a.type);
    product.b.data += strideB * bytesOf(product.b.type);
    product.c.data += strideC * bytesOf(product.c.type);
  }
  return SUCCESS;
}

FAKE_API int cublasSgemmStridedBatched(void *handle, int transposeA, int transposeB, int m, int n,
                                       int k, const float *alpha, const float *a, int leadingA,
                                       long long strideA, const float *b, int leadingB,
                                       long long strideB, const float *beta, float *c, int leadingC,
                                       long long strideC, int count) {
  ENTER_HANDLE(cublasSgemmStridedBatched)
  const int compute = h->mathMode == PEDANTIC_MATH ? COMPUTE_32F_PEDANTIC : COMPUTE_32F;
  Product product;
  if (int refused = prepare(h, "cublasSgemmStridedBatched",
                            {transposeA, transposeB, m, n, k, alpha, a, FLOAT, leadingA, b, FLOAT,
                             leadingB, beta, c, FLOAT, leadingC, compute},
                            product)) {
    return refused;
  }
  for (int i = 0; i < count; i++) {
    if (int status = multiply(h, "cublasSgemmStridedBatched", product)) {
      return status;
    }
    product.a.data += 4 * strideA;
    product.b.data += 4 * strideB;
    product.c.data += 4 * strideC;
  }
  return SUCCESS;
}
