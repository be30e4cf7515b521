/* Inner loops over buffers; bcikit/kernels/__init__.py is how they are called, _numpy.py says what each of them does.

   The loops stand in _loops.h and are compiled once for each instruction set; the best one that the processor has is
   chosen at import. Within a call, denormal numbers count as zero (a channel gone silent would else take 50 times as
   long); the caller's mode is put back, so that nobody else's arithmetic changes. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define BLOCK 32         /* rows handled at once: a tile of them stays in the first cache */
#define MOST_NOTCHES 16
#define LONG_WORK 100000 /* multiplications from which on other threads are let run meanwhile */

/* of `logs`: how small, beside the diagonal, an entry counts as zero; sweeps at most; the least eigenvalue of the largest */
#define CLOSE 1e-10
#define SWEEPS 30
#define SMALL 1e-12
#define LEAST 1e-30

#if defined(__x86_64__)
#include <xmmintrin.h>
typedef unsigned int fp_mode;
static fp_mode flush_denormals(void) {
  fp_mode before = _mm_getcsr();
  _mm_setcsr(before | 0x8040);
  return before;
}
static void restore_mode(fp_mode before) { _mm_setcsr(before); }
#elif defined(__aarch64__)
typedef uint64_t fp_mode;
static fp_mode flush_denormals(void) {
  fp_mode before;
  __asm__ __volatile__("mrs %0, fpcr" : "=r"(before));
  __asm__ __volatile__("msr fpcr, %0" ::"r"(before | (1u << 24)));
  return before;
}
static void restore_mode(fp_mode before) { __asm__ __volatile__("msr fpcr, %0" ::"r"(before)); }
#else
typedef int fp_mode;
static fp_mode flush_denormals(void) { return 0; }
static void restore_mode(fp_mode before) { (void)before; }
#endif

/* -- what `unit_features` works with */

typedef struct { /* the rule of `crossings`: see __init__.py */
  Py_ssize_t hop;
  float warm, refractory, side, times, gain;
} Rule;

typedef struct {
  const void *x;
  int counts, single; /* x is int16; state is float */
  const float *scale, *offset, *base;
  const double *coef;
  void *state;
  float *own;
  double *crossed, *power;
  Py_ssize_t n, c, sections, at, low, high;
  Rule rule;
} Features;

/* -- the loops, once for each instruction set */

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define FN(name) JOIN(name, SET)

#if defined(__x86_64__)
#define CLONED 1
#define SET avx512
#define TARGET __attribute__((target("avx512f,avx2,fma")))
#define LANES 8
#include "_loops.h"
#define SET avx2
#define TARGET __attribute__((target("avx2,fma")))
#define LANES 4
#include "_loops.h"
#endif
#define SET base
#define TARGET
#define LANES 2
#include "_loops.h"

enum { BASE, AVX2, AVX512 };
static int level = BASE;
static const char *const LEVELS[] = {"base", "avx2", "avx512"};

static int best_level(void) {
#ifdef CLONED
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("fma")) return AVX512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return AVX2;
#endif
  return BASE;
}

#ifdef CLONED
#define DISPATCH(name, ...)                                  \
  do {                                                       \
    if (level == AVX512) name##_avx512(__VA_ARGS__);         \
    else if (level == AVX2) name##_avx2(__VA_ARGS__);        \
    else name##_base(__VA_ARGS__);                           \
  } while (0)
#else
#define DISPATCH(name, ...) name##_base(__VA_ARGS__)
#endif

/* Run with denormals as zero; where `work` is long, let other threads run. */
#define RUN(work, name, ...)                                             \
  do {                                                                   \
    PyThreadState *others = (work) > LONG_WORK ? PyEval_SaveThread() : NULL; \
    fp_mode mode = flush_denormals();                                    \
    DISPATCH(name, __VA_ARGS__);                                         \
    restore_mode(mode);                                                  \
    if (others) PyEval_RestoreThread(others);                            \
  } while (0)

/* -- arguments: C-contiguous buffers of a stated type */

typedef struct {
  Py_buffer view[12];
  int held;
} Held;

static void release(Held *h) {
  while (h->held) PyBuffer_Release(&h->view[--h->held]);
}

/* The buffer of `o`, whose items are of type `type` ('f' float, 'd' double, 'h' 16-bit, 'q' 64-bit integer; '*' any), with `ndim` axes
   (0: any number; '!' before the type: written to). NULL with an exception where it is not that. */
static Py_buffer *hold(Held *h, PyObject *o, const char *type, int ndim) {
  int written = type[0] == '!';
  const char want = type[written];
  Py_buffer *v = &h->view[h->held];
  if (PyObject_GetBuffer(o, v, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (written ? PyBUF_WRITABLE : 0)) < 0) return NULL;
  h->held++;
  char has = v->format ? v->format[strlen(v->format) - 1] : 'B';
  if (want == 'q' && has == 'l' && v->itemsize == 8) has = 'q';
  if ((has != want && want != '*') || (ndim && v->ndim != ndim)) {
    PyErr_Format(PyExc_TypeError, "a buffer of type '%c' with %d axes is wanted, not '%c' with %d", want, ndim, has, v->ndim);
    return NULL;
  }
  return v;
}

/* A function takes its arguments with WITH, which holds buffers, and checks with FIT that they fit each other. */

#define ARGUMENTS(count)                                                               \
  if (nargs != (count)) {                                                              \
    PyErr_Format(PyExc_TypeError, "%d arguments are wanted, not %zd", (count), nargs); \
    return NULL;                                                                       \
  }                                                                                    \
  Held h = {.held = 0};                                                                \
  PyObject *result = NULL;
#define WITH(name, i, type, ndim)                     \
  Py_buffer *name = hold(&h, args[i], type, ndim); \
  if (!name) goto end;
#define WHOLE(name, i)                                  \
  const Py_ssize_t name = PyLong_AsSsize_t(args[i]); \
  if (PyErr_Occurred()) goto end;
#define REAL(name, i)                              \
  const double name = PyFloat_AsDouble(args[i]); \
  if (PyErr_Occurred()) goto end;
#define FIT(condition)                                                              \
  if (!(condition)) {                                                               \
    PyErr_SetString(PyExc_ValueError, "the arrays do not fit each other: " #condition); \
    goto end;                                                                       \
  }
#define DONE               \
  result = Py_NewRef(Py_None); \
  end:                     \
  release(&h);             \
  return result;
#define KERNEL(name) static PyObject *name(PyObject *self, PyObject *const *args, Py_ssize_t nargs)

/* -- the functions */

KERNEL(biquads) {
  ARGUMENTS(4)
  WITH(x, 0, "f", 2)
  WITH(y, 1, "!f", 2)
  WITH(coef, 2, "d", 2)
  WITH(state, 3, "!d", 3)
  const Py_ssize_t n = x->shape[0], c = x->shape[1], sections = coef->shape[0];
  FIT(y->shape[0] == n && y->shape[1] == c)
  FIT(coef->shape[1] == 5 && state->shape[0] == sections && state->shape[1] == 2 && state->shape[2] == c)
  RUN(5 * n * c * sections, biquads, x->buf, y->buf, n, c, coef->buf, sections, state->buf);
  DONE
}

KERNEL(steered) {
  ARGUMENTS(6)
  WITH(x, 0, "f", 2)
  WITH(y, 1, "!f", 2)
  WITH(refs, 2, "d", 3)
  WITH(weights, 3, "!d", 3)
  WITH(base, 4, "d", 1)
  REAL(gain, 5)
  const Py_ssize_t n = x->shape[0], c = x->shape[1], notches = weights->shape[0];
  FIT(y->shape[0] == n && y->shape[1] == c && base->shape[0] == c && notches <= MOST_NOTCHES)
  FIT(refs->shape[0] == n && refs->shape[1] == notches && refs->shape[2] == 2)
  FIT(weights->shape[1] == 2 && weights->shape[2] == c)
  RUN(6 * n * c * notches, steered, x->buf, y->buf, n, c, refs->buf, notches, weights->buf, base->buf, gain);
  DONE
}

KERNEL(fir) {
  ARGUMENTS(5)
  WITH(x, 0, "f", 2)
  WITH(y, 1, "!f", 2)
  WITH(row, 2, "q", 1)
  WITH(phase, 3, "q", 1)
  WITH(taps, 4, "d", 2)
  const Py_ssize_t outs = y->shape[0], c = x->shape[1], length = taps->shape[1];
  const int64_t *rows = row->buf, *phases = phase->buf;
  FIT(y->shape[1] == c && row->shape[0] == outs && phase->shape[0] == outs)
  for (Py_ssize_t o = 0; o < outs; o++)
    FIT(rows[o] >= length - 1 && rows[o] < x->shape[0] && phases[o] >= 0 && phases[o] < taps->shape[0])
  RUN(outs * c * length, fir, x->buf, y->buf, outs, c, rows, phases, taps->buf, length);
  DONE
}

KERNEL(squares) {
  ARGUMENTS(2)
  WITH(x, 0, "f", 2)
  WITH(sums, 1, "!d", 1)
  const Py_ssize_t n = x->shape[0], c = x->shape[1];
  FIT(sums->shape[0] == c)
  RUN(n * c, squares, x->buf, n, c, sums->buf);
  DONE
}

KERNEL(weighted) {
  ARGUMENTS(3)
  WITH(x, 0, "f", 2)
  WITH(weights, 1, "d", 2)
  WITH(sums, 2, "!d", 2)
  const Py_ssize_t n = x->shape[0], c = x->shape[1], k = weights->shape[1];
  FIT(weights->shape[0] == n && sums->shape[0] == k && sums->shape[1] == c)
  RUN(n * c * k, weighted, x->buf, n, c, weights->buf, k, sums->buf);
  DONE
}

/* Rounded after every step, as in NumPy: the same counts to the byte where nothing is fused. */
KERNEL(counted) {
  ARGUMENTS(6)
  WITH(even, 0, "f", 1)
  WITH(shape, 1, "f", 1)
  WITH(none, 2, "f", 1)
  const float step = (float)PyFloat_AsDouble(args[3]);
  if (PyErr_Occurred()) goto end;
  WHOLE(most, 4)
  WITH(out, 5, "!f", 1)
  const Py_ssize_t n = out->shape[0];
  FIT(even->shape[0] == n && shape->shape[0] == n && none->shape[0] == n)
  const float *u = even->buf, *a = shape->buf, *zero = none->buf;
  float *y = out->buf;
  for (Py_ssize_t i = 0; i < n; i++) {
    float odds = zero[i], below = odds;
    Py_ssize_t k = 0;
    for (; u[i] > below && k < most; k++) {
      odds = odds * (a[i] + (float)k) / (float)(k + 1) * step;
      below = below + odds;
    }
    y[i] = (float)k;
  }
  DONE
}

#include "_spikes.h"
#include "_matrices.h"
#include "_guard.h"

static PyObject *use(PyObject *self, PyObject *wanted) {
  const char *name = PyUnicode_AsUTF8AndSize(wanted, NULL);
  if (!name) return NULL;
  for (int i = 0; i <= best_level(); i++)
    if (!strcmp(name, LEVELS[i])) {
      const char *before = LEVELS[level];
      level = i;
      return PyUnicode_FromString(before);
    }
  return PyErr_Format(PyExc_ValueError, "this processor has no %s", name);
}

#define ENTRY(name, arguments) {#name, (PyCFunction)(void (*)(void))name, METH_FASTCALL, #name "(" arguments ")"}

static PyMethodDef METHODS[] = {
    ENTRY(biquads, "x, y, coef, state"),
    ENTRY(steered, "x, y, refs, weights, base, gain"),
    ENTRY(fir, "x, y, row, phase, taps"),
    ENTRY(squares, "x, sums"),
    ENTRY(weighted, "x, weights, sums"),
    ENTRY(biquads32, "x, y, base, coef, state"),
    ENTRY(means, "x, out, scale"),
    ENTRY(medians, "x, out"),
    ENTRY(less, "x, y, scale, offset"),
    ENTRY(sums, "x, total"),
    ENTRY(covariance, "x, total"),
    ENTRY(counted, "even, shape, none, step, most, out"),
    ENTRY(crossings, "x, y, own, at, rule"),
    ENTRY(logs, "C, white, basis, out"),
    ENTRY(ramp, "value, slope, target, bounds, dt, to"),
    ENTRY(guide, "value, slope, target, points, bounds, moves, fence, spheres, boxes, pairs, apart, margin, dt, to"),
    ENTRY(judge, "own, state, told, points, spheres, boxes, bits, most, now, out"),
    ENTRY(hear, "own, asked, about, values, middle, most, rest, now, soon"),
    ENTRY(unit_features, "x, scale, offset, coef, state, base, own, at, rule, crossed, power, low, high"),
    {"use", use, METH_O, "use(instruction_set) -> the one used before: 'base', 'avx2' or 'avx512'"},
    {NULL, NULL, 0, NULL}};

static struct PyModuleDef MODULE = {PyModuleDef_HEAD_INIT, "_kernels", "Inner loops.", -1, METHODS};

PyMODINIT_FUNC PyInit__kernels(void) {
  level = best_level();
  return PyModule_Create(&MODULE);
}
