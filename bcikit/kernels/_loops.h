/* The inner loops, included once for each instruction set with

     FN(name)   the name for this set
     TARGET     its function attribute
     LANES      doubles in one of its vectors

   Rows are samples, channels lie side by side: recursion runs along the rows, vectors along the channels, a tile of them at
   a time. A channel's arithmetic depends on its place among the channels alone, never on how many rows came at once: any
   cut, same bytes. Sums and states are double, samples float.

   A loop is written once, for a tile of `nv` vectors of which `used` channels are there; inlined with nv constant, so that
   the compiler unrolls it and keeps small arrays in registers. EACH_TILE calls it for wide tiles and what is left. */

typedef double FN(vec) __attribute__((vector_size(8 * LANES), aligned(8), may_alias));
typedef float FN(half) __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

#define WIDE 4 /* vectors in a wide tile */
#define LOOP static inline __attribute__((always_inline)) TARGET void
#define ALIGNED __attribute__((aligned(64)))

#define EACH_TILE(c, call)                                                                       \
  do {                                                                                           \
    Py_ssize_t i = 0;                                                                            \
    for (; i + WIDE * LANES <= c; i += WIDE * LANES) FN(call)(WIDE, WIDE * LANES, i, CALL_ARGS); \
    for (; i < c; i += LANES) FN(call)(1, c - i < LANES ? c - i : LANES, i, CALL_ARGS);          \
  } while (0)

/* A tile's row between memory and vectors; channels that are not there are zero. */

LOOP FN(get_float)(const int nv, Py_ssize_t used, const float *from, FN(vec) *to) {
  if (used == nv * LANES)
    for (int v = 0; v < nv; v++) to[v] = __builtin_convertvector(((const FN(half) *)from)[v], FN(vec));
  else
    for (int i = 0; i < nv * LANES; i++) ((double *)to)[i] = i < used ? from[i] : 0.0;
}
LOOP FN(put_float)(const int nv, Py_ssize_t used, const FN(vec) *from, float *to) {
  if (used == nv * LANES)
    for (int v = 0; v < nv; v++) ((FN(half) *)to)[v] = __builtin_convertvector(from[v], FN(half));
  else
    for (int i = 0; i < used; i++) to[i] = (float)((const double *)from)[i];
}
LOOP FN(get)(const int nv, Py_ssize_t used, const double *from, FN(vec) *to) {
  if (used == nv * LANES)
    for (int v = 0; v < nv; v++) to[v] = ((const FN(vec) *)from)[v];
  else
    for (int i = 0; i < nv * LANES; i++) ((double *)to)[i] = i < used ? from[i] : 0.0;
}
LOOP FN(put)(const int nv, Py_ssize_t used, const FN(vec) *from, double *to) {
  if (used == nv * LANES)
    for (int v = 0; v < nv; v++) ((FN(vec) *)to)[v] = from[v];
  else
    for (int i = 0; i < used; i++) to[i] = ((const double *)from)[i];
}

/* -- cascaded biquads, transposed direct form II. coef (sections, 5): b0 b1 b2 a1 a2; state (sections, 2, c) */

LOOP FN(biquads_tile)(const int nv, Py_ssize_t used, Py_ssize_t at, const float *x, float *y, Py_ssize_t stride,
                      Py_ssize_t rows, Py_ssize_t c, const double *coef, Py_ssize_t sections, double *state) {
  ALIGNED FN(vec) tile[BLOCK][WIDE];
  for (Py_ssize_t r = 0; r < rows; r++) FN(get_float)(nv, used, x + r * stride, tile[r]);
  for (Py_ssize_t s = 0; s < sections; s++) {
    const double *k = coef + 5 * s;
    double *own = state + 2 * s * c + at;
    FN(vec) s1[WIDE], s2[WIDE];
    FN(get)(nv, used, own, s1);
    FN(get)(nv, used, own + c, s2);
    for (Py_ssize_t r = 0; r < rows; r++)
      for (int v = 0; v < nv; v++) {
        FN(vec) in = tile[r][v], out = k[0] * in + s1[v];
        s1[v] = (s2[v] + k[1] * in) - k[3] * out; /* one chain of two fused steps */
        s2[v] = k[2] * in - k[4] * out;
        tile[r][v] = out;
      }
    FN(put)(nv, used, s1, own);
    FN(put)(nv, used, s2, own + c);
  }
  for (Py_ssize_t r = 0; r < rows; r++) FN(put_float)(nv, used, tile[r], y + r * stride);
}

static TARGET void FN(biquads)(const float *x, float *y, Py_ssize_t n, Py_ssize_t c, const double *coef,
                               Py_ssize_t sections, double *state) {
  for (; n > 0; n -= BLOCK, x += BLOCK * c, y += BLOCK * c) {
    Py_ssize_t rows = n < BLOCK ? n : BLOCK;
#define CALL_ARGS x + i, y + i, c, rows, c, coef, sections, state
    EACH_TILE(c, biquads_tile);
#undef CALL_ARGS
  }
}

/* -- notches steered by references: each takes out what goes with its cosine and sine. refs (n, notches, 2);
      weights (notches, 2, c); base (c) is taken off before and put back after */

LOOP FN(steered_tile)(const int nv, Py_ssize_t used, Py_ssize_t at, const float *x, float *y, Py_ssize_t n, Py_ssize_t c,
                      const double *refs, Py_ssize_t notches, double *weights, const double *base, double gain) {
  ALIGNED FN(vec) w[2 * MOST_NOTCHES][WIDE];
  FN(vec) offset[WIDE], in[WIDE];
  const double step = 2.0 * (1.0 - gain);
  FN(get)(nv, used, base + at, offset);
  for (Py_ssize_t k = 0; k < 2 * notches; k++) FN(get)(nv, used, weights + k * c + at, w[k]);
  for (Py_ssize_t r = 0; r < n; r++, refs += 2 * notches) {
    FN(get_float)(nv, used, x + r * c + at, in);
    for (int v = 0; v < nv; v++) in[v] -= offset[v];
    for (Py_ssize_t k = 0; k < notches; k++) {
      const double cosine = refs[2 * k], sine = refs[2 * k + 1];
      for (int v = 0; v < nv; v++) {
        FN(vec) error = in[v] - cosine * w[2 * k][v] - sine * w[2 * k + 1][v];
        w[2 * k][v] += step * cosine * error;
        w[2 * k + 1][v] += step * sine * error;
        in[v] = gain * error;
      }
    }
    for (int v = 0; v < nv; v++) in[v] += offset[v];
    FN(put_float)(nv, used, in, y + r * c + at);
  }
  for (Py_ssize_t k = 0; k < 2 * notches; k++) FN(put)(nv, used, w[k], weights + k * c + at);
}

static TARGET void FN(steered)(const float *x, float *y, Py_ssize_t n, Py_ssize_t c, const double *refs, Py_ssize_t notches,
                               double *weights, const double *base, double gain) {
#define CALL_ARGS x, y, n, c, refs, notches, weights, base, gain
  EACH_TILE(c, steered_tile);
#undef CALL_ARGS
}

/* -- FIR at given places: y[o] = sum over j of taps[phase[o]][j] * x[row[o] - j]. taps (phases, long) */

LOOP FN(fir_tile)(const int nv, Py_ssize_t used, Py_ssize_t at, const float *x, float *y, Py_ssize_t outs, Py_ssize_t c,
                  const int64_t *row, const int64_t *phase, const double *taps, Py_ssize_t length) {
  for (Py_ssize_t o = 0; o < outs; o++) {
    const double *h = taps + phase[o] * length;
    FN(vec) sum[WIDE], in[WIDE];
    for (int v = 0; v < nv; v++) sum[v] = (FN(vec)){0};
    for (Py_ssize_t j = 0; j < length; j++) {
      FN(get_float)(nv, used, x + (row[o] - j) * c + at, in);
      for (int v = 0; v < nv; v++) sum[v] += h[j] * in[v];
    }
    FN(put_float)(nv, used, sum, y + o * c + at);
  }
}

static TARGET void FN(fir)(const float *x, float *y, Py_ssize_t outs, Py_ssize_t c, const int64_t *row, const int64_t *phase,
                           const double *taps, Py_ssize_t length) {
#define CALL_ARGS x, y, outs, c, row, phase, taps, length
  EACH_TILE(c, fir_tile);
#undef CALL_ARGS
}

/* -- running sums of squares: sums (c) += sum over rows of x^2, one row after the other */

LOOP FN(squares_tile)(const int nv, Py_ssize_t used, Py_ssize_t at, const float *x, Py_ssize_t n, Py_ssize_t stride,
                      double *sums) {
  FN(vec) sum[WIDE], in[WIDE];
  FN(get)(nv, used, sums + at, sum);
  for (Py_ssize_t r = 0; r < n; r++) {
    FN(get_float)(nv, used, x + r * stride, in);
    for (int v = 0; v < nv; v++) sum[v] += in[v] * in[v];
  }
  FN(put)(nv, used, sum, sums + at);
}

static TARGET void FN(squares)(const float *x, Py_ssize_t n, Py_ssize_t c, double *sums) {
#define CALL_ARGS x + i, n, c, sums
  EACH_TILE(c, squares_tile);
#undef CALL_ARGS
}

/* -- running sums with weights: sums (k, c) += sum over rows of weights[r][k] * x[r]. weights (n, k) */

LOOP FN(weighted_tile)(const int nv, Py_ssize_t used, Py_ssize_t at, const float *x, Py_ssize_t n, Py_ssize_t c,
                       const double *weights, Py_ssize_t k, double *sums) {
  for (Py_ssize_t j = 0; j < k; j++) {
    FN(vec) sum[WIDE], in[WIDE];
    FN(get)(nv, used, sums + j * c + at, sum);
    for (Py_ssize_t r = 0; r < n; r++) {
      FN(get_float)(nv, used, x + r * c + at, in);
      for (int v = 0; v < nv; v++) sum[v] += weights[r * k + j] * in[v];
    }
    FN(put)(nv, used, sum, sums + j * c + at);
  }
}

static TARGET void FN(weighted)(const float *x, Py_ssize_t n, Py_ssize_t c, const double *weights, Py_ssize_t k,
                                double *sums) {
#define CALL_ARGS x, n, c, weights, k, sums
  EACH_TILE(c, weighted_tile);
#undef CALL_ARGS
}

#include "_loops_spikes.h"
#include "_loops_matrices.h"

#undef WIDE
#undef LOOP
#undef ALIGNED
#undef EACH_TILE
#undef SET
#undef TARGET
#undef LANES
