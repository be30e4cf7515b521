/* Many small symmetric matrices, one in each lane of a vector; included by _loops.h, once for each instruction set.

   Matrices lie as c * c vectors, row after row. A lane's arithmetic never depends on what is in the others: where a lane
   needs no rotation, its rotation is the identity to the bit. */

#define ENTRY_AT(i, j) ((i) * c + (j))

typedef int64_t FN(mask) __attribute__((vector_size(8 * LANES), aligned(8), may_alias));

static inline TARGET int FN(any)(FN(mask) m) {
  int64_t all = 0;
  for (int i = 0; i < LANES; i++) all |= m[i];
  return all != 0;
}

static inline TARGET FN(vec) FN(root)(FN(vec) x) {
  for (int i = 0; i < LANES; i++) x[i] = __builtin_sqrt(x[i]);
  return x;
}

static inline TARGET FN(vec) FN(pick)(FN(mask) m, FN(vec) yes, FN(vec) no) {
  return (FN(vec))(((FN(mask))yes & m) | ((FN(mask))no & ~m));
}

static inline TARGET FN(vec) FN(all)(double x) { return x - (FN(vec)){0}; }

/* to[i][j] = sum over k of a[k][i] * b[k][j], for j >= from_i (upper) or all j */

LOOP FN(product_strip)(const int n, Py_ssize_t c, Py_ssize_t i, Py_ssize_t j, const FN(vec) *a, const FN(vec) *b,
                       FN(vec) *to) {
  FN(vec) sum[4] = {{0}};
  for (Py_ssize_t k = 0; k < c; k++)
    for (int m = 0; m < n; m++) sum[m] += a[ENTRY_AT(k, i)] * b[ENTRY_AT(k, j + m)];
  for (int m = 0; m < n; m++) to[ENTRY_AT(i, j + m)] = sum[m];
}

static TARGET void FN(product)(Py_ssize_t c, int upper, const FN(vec) *a, const FN(vec) *b, FN(vec) *to) {
  for (Py_ssize_t i = 0; i < c; i++) {
    Py_ssize_t j = upper ? i : 0;
    for (; j + 4 <= c; j += 4) FN(product_strip)(4, c, i, j, a, b, to);
    for (; j < c; j++) FN(product_strip)(1, c, i, j, a, b, to);
  }
}

/* One rotation that makes the entry (p, q) of a (its upper half is kept) zero, where it is not yet; rows p, q of v go along. */

LOOP FN(turn)(FN(vec) *x, FN(vec) *y, FN(vec) cosine, FN(vec) sine) {
  const FN(vec) a = *x, b = *y;
  *x = cosine * a - sine * b;
  *y = sine * a + cosine * b;
}

static TARGET int FN(rotate)(Py_ssize_t c, Py_ssize_t p, Py_ssize_t q, FN(vec) *a, FN(vec) *v) {
  const FN(vec) pp = a[ENTRY_AT(p, p)], qq = a[ENTRY_AT(q, q)], pq = a[ENTRY_AT(p, q)], one = FN(all)(1.0);
  const FN(mask) wrong = pq * pq > (CLOSE * CLOSE) * pp * qq;
  if (!FN(any)(wrong)) return 0;
  const FN(vec) theta = (qq - pp) / (2.0 * FN(pick)(wrong, pq, one));
  const FN(vec) size = FN(pick)(theta < 0.0, -theta, theta), t1 = 1.0 / (size + FN(root)(theta * theta + 1.0));
  const FN(vec) t = FN(pick)(wrong, FN(pick)(theta < 0.0, -t1, t1), FN(all)(0.0));
  const FN(vec) cosine = 1.0 / FN(root)(t * t + 1.0), sine = t * cosine;
  a[ENTRY_AT(p, p)] = pp - t * pq;
  a[ENTRY_AT(q, q)] = qq + t * pq;
  a[ENTRY_AT(p, q)] = FN(pick)(wrong, FN(all)(0.0), pq);
  for (Py_ssize_t k = 0; k < p; k++) FN(turn)(a + ENTRY_AT(k, p), a + ENTRY_AT(k, q), cosine, sine);
  for (Py_ssize_t k = p + 1; k < q; k++) FN(turn)(a + ENTRY_AT(p, k), a + ENTRY_AT(k, q), cosine, sine);
  for (Py_ssize_t k = q + 1; k < c; k++) FN(turn)(a + ENTRY_AT(p, k), a + ENTRY_AT(q, k), cosine, sine);
  for (Py_ssize_t k = 0; k < c; k++) FN(turn)(v + ENTRY_AT(p, k), v + ENTRY_AT(q, k), cosine, sine);
  return 1;
}

/* logarithms of white * C[m] * white. basis (n, c, c): rows near the eigenvectors, in; the eigenvectors, out. white is
   symmetric. room: 4 * c * c vectors. */

static TARGET void FN(logs)(const double *C, const double *white, double *basis, double *out, Py_ssize_t n, Py_ssize_t c,
                            void *room) {
  const Py_ssize_t cc = c * c;
  FN(vec) *a = room, *v = a + cc, *b = v + cc, *w = b + cc;
  for (Py_ssize_t m = 0; m < n; m += LANES) {
    for (int lane = 0; lane < LANES; lane++) {
      const Py_ssize_t own = (m + lane < n ? m + lane : n - 1) * cc;
      for (Py_ssize_t i = 0; i < c; i++)
        for (Py_ssize_t j = 0; j < c; j++) {
          ((double *)(a + ENTRY_AT(i, j)))[lane] = C[own + ENTRY_AT(i, j)];
          ((double *)(b + ENTRY_AT(j, i)))[lane] = basis[own + ENTRY_AT(i, j)];
        }
    }
    for (Py_ssize_t i = 0; i < cc; i++) w[i] = FN(all)(white[i]);
    FN(product)(c, 0, w, b, v); /* white * basis', columns */
    FN(product)(c, 0, a, v, w); /* C * that */
    FN(product)(c, 1, v, w, a); /* basis * white * C * white * basis' */
    for (Py_ssize_t i = 0; i < c; i++)
      for (Py_ssize_t j = 0; j < c; j++) v[ENTRY_AT(i, j)] = b[ENTRY_AT(j, i)];
    int wrong = 1;
    for (int sweep = 0; sweep < SWEEPS && wrong; sweep++) {
      wrong = 0;
      for (Py_ssize_t p = 0; p < c; p++)
        for (Py_ssize_t q = p + 1; q < c; q++) wrong |= FN(rotate)(c, p, q, a, v);
    }
    for (int lane = 0; lane < LANES; lane++) {
      double top = LEAST;
      for (Py_ssize_t i = 0; i < c; i++) {
        const double value = a[ENTRY_AT(i, i)][lane];
        top = value > top ? value : top;
      }
      for (Py_ssize_t i = 0; i < c; i++) {
        double *value = (double *)(a + ENTRY_AT(i, i)) + lane;
        *value = log(*value > SMALL * top ? *value : SMALL * top);
      }
    }
    for (Py_ssize_t i = 0; i < c; i++)
      for (Py_ssize_t j = 0; j < c; j++) b[ENTRY_AT(i, j)] = a[ENTRY_AT(i, i)] * v[ENTRY_AT(i, j)];
    FN(product)(c, 1, v, b, w);
    for (int lane = 0; lane < LANES && m + lane < n; lane++)
      for (Py_ssize_t i = 0; i < c; i++)
        for (Py_ssize_t j = 0; j < c; j++) {
          const Py_ssize_t at = (m + lane) * cc + ENTRY_AT(i, j);
          out[at] = ((const double *)(w + (i <= j ? ENTRY_AT(i, j) : ENTRY_AT(j, i))))[lane];
          basis[at] = ((const double *)(v + ENTRY_AT(i, j)))[lane];
        }
  }
}

#undef ENTRY_AT
