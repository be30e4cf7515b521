/* More inner loops, included by _loops.h once for each instruction set: what turns thousands of raw channels into features.
   Samples and what is compared are float, sums double; a tile is WIDE vectors of floats. */

#define FLOATS (2 * LANES)
typedef float FN(fvec) __attribute__((vector_size(8 * LANES), aligned(4), may_alias));
typedef int32_t FN(ivec) __attribute__((vector_size(8 * LANES), aligned(4), may_alias));
typedef int16_t FN(counts) __attribute__((vector_size(4 * LANES), aligned(2), may_alias));

#define EACH_FLOAT_TILE(low, high, call)                                                                      \
  do {                                                                                                        \
    Py_ssize_t i = (low);                                                                                     \
    for (; i + WIDE * FLOATS <= (high); i += WIDE * FLOATS) FN(call)(WIDE, WIDE * FLOATS, i, CALL_ARGS);      \
    for (; i + FLOATS < (high); i += 2 * FLOATS)                                                              \
      FN(call)(2, (high) - i < 2 * FLOATS ? (high) - i : 2 * FLOATS, i, CALL_ARGS);                           \
    if (i < (high)) FN(call)(1, (high) - i, i, CALL_ARGS);                                                    \
  } while (0)

/* n < FLOATS floats, in as many moves as n has bits */
LOOP FN(some)(Py_ssize_t n, const float *from, float *to) {
  for (int size = FLOATS / 2; size; size /= 2)
    if (n & size) {
      __builtin_memcpy(to, from, size * sizeof(float));
      from += size, to += size;
    }
}
LOOP FN(take)(const int nv, Py_ssize_t used, const float *from, FN(fvec) *to) {
  for (int v = 0; v < nv; v++)
    if (used >= (v + 1) * FLOATS) to[v] = ((const FN(fvec) *)from)[v];
    else {
      to[v] = (FN(fvec)){0};
      FN(some)(used - v * FLOATS, from + v * FLOATS, (float *)(to + v));
    }
}
LOOP FN(give)(const int nv, Py_ssize_t used, const FN(fvec) *from, float *to) {
  for (int v = 0; v < nv; v++)
    if (used >= (v + 1) * FLOATS) ((FN(fvec) *)to)[v] = from[v];
    else FN(some)(used - v * FLOATS, (const float *)(from + v), to + v * FLOATS);
}
LOOP FN(take_counts)(const int nv, Py_ssize_t used, const int16_t *from, FN(fvec) *to) {
  if (used == nv * FLOATS)
    for (int v = 0; v < nv; v++) to[v] = __builtin_convertvector(((const FN(counts) *)from)[v], FN(fvec));
  else
    for (int i = 0; i < nv * FLOATS; i++) ((float *)to)[i] = i < used ? from[i] : 0.0f;
}
LOOP FN(take_any)(const int nv, Py_ssize_t used, const void *x, int counts, Py_ssize_t place, FN(fvec) *to) {
  if (counts) FN(take_counts)(nv, used, (const int16_t *)x + place, to);
  else FN(take)(nv, used, (const float *)x + place, to);
}
#define PICK(mask, yes, no) ((FN(fvec))(((mask) & (FN(ivec))(yes)) | (~(mask) & (FN(ivec))(no))))

/* -- cascaded biquads with single precision over x - base */

LOOP FN(biquads32_tile)(const int nv, Py_ssize_t used, Py_ssize_t at, const float *x, float *y, Py_ssize_t stride,
                        Py_ssize_t rows, Py_ssize_t c, const float *base, const double *coef, Py_ssize_t sections,
                        float *state) {
  ALIGNED FN(fvec) tile[BLOCK][WIDE];
  FN(fvec) less[WIDE];
  FN(take)(nv, used, base + at, less);
  for (Py_ssize_t r = 0; r < rows; r++) FN(take)(nv, used, x + r * stride, tile[r]);
  for (Py_ssize_t r = 0; r < rows; r++)
    for (int v = 0; v < nv; v++) tile[r][v] -= less[v];
  for (Py_ssize_t s = 0; s < sections; s++) {
    const double *k = coef + 5 * s;
    const float b0 = (float)k[0], b1 = (float)k[1], b2 = (float)k[2], a1 = (float)k[3], a2 = (float)k[4];
    float *own = state + 2 * s * c + at;
    FN(fvec) s1[WIDE], s2[WIDE];
    FN(take)(nv, used, own, s1);
    FN(take)(nv, used, own + c, s2);
    for (Py_ssize_t r = 0; r < rows; r++)
      for (int v = 0; v < nv; v++) {
        FN(fvec) in = tile[r][v], out = b0 * in + s1[v];
        s1[v] = (s2[v] + b1 * in) - a1 * out;
        s2[v] = b2 * in - a2 * out;
        tile[r][v] = out;
      }
    FN(give)(nv, used, s1, own);
    FN(give)(nv, used, s2, own + c);
  }
  for (Py_ssize_t r = 0; r < rows; r++) FN(give)(nv, used, tile[r], y + r * stride);
}

static TARGET void FN(biquads32)(const float *x, float *y, Py_ssize_t n, Py_ssize_t c, const float *base, const double *coef,
                                 Py_ssize_t sections, float *state) {
  for (; n > 0; n -= BLOCK, x += BLOCK * c, y += BLOCK * c) {
    Py_ssize_t rows = n < BLOCK ? n : BLOCK;
#define CALL_ARGS x + i, y + i, c, rows, c, base, coef, sections, state
    EACH_FLOAT_TILE(0, c, biquads32_tile);
#undef CALL_ARGS
  }
}

/* -- the mean of each row, in a fixed order; of counts it is exact */

static TARGET void FN(means)(const void *x, int counts, float *out, Py_ssize_t n, Py_ssize_t c, double scale) {
  for (Py_ssize_t r = 0; r < n; r++) {
    double total = 0.0;
    if (counts) {
      const int16_t *row = (const int16_t *)x + r * c;
      int64_t sum = 0;
      for (Py_ssize_t begin = 0; begin < c; begin += 4096) {
        const Py_ssize_t end = c - begin < 4096 ? c : begin + 4096;
        int32_t some = 0;
        for (Py_ssize_t i = begin; i < end; i++) some += row[i];
        sum += some;
      }
      total = (double)sum;
    } else {
      const float *row = (const float *)x + r * c;
      FN(vec) sum[WIDE] = {{0}}, in[WIDE];
      Py_ssize_t i = 0;
      for (; i + WIDE * LANES <= c; i += WIDE * LANES) {
        FN(get_float)(WIDE, WIDE * LANES, row + i, in);
        for (int v = 0; v < WIDE; v++) sum[v] += in[v];
      }
      for (int v = 0; v < WIDE; v++)
        for (int l = 0; l < LANES; l++) total += sum[v][l];
      for (; i < c; i++) total += row[i];
    }
    out[r] = (float)(total * scale / (double)c);
  }
}

/* -- the median of each row, by halving: floats as integers of the same order, the answer found bit by bit */

static TARGET void FN(medians)(const float *x, float *out, Py_ssize_t n, Py_ssize_t c, int32_t *keys) {
  for (Py_ssize_t r = 0; r < n; r++) {
    int32_t least = INT32_MAX, most = INT32_MIN;
    for (Py_ssize_t i = 0; i < c; i++) {
      int32_t bits;
      memcpy(&bits, x + r * c + i, 4);
      bits ^= (bits >> 31) & INT32_MAX;
      keys[i] = bits;
      least = bits < least ? bits : least;
      most = bits > most ? bits : most;
    }
    const int32_t wanted = (int32_t)((c - 1) / 2); /* so many are smaller than the lower one of the middle */
    while (least < most) {                       /* the smallest key that more than `wanted` do not exceed */
      const int32_t half = (int32_t)(((int64_t)least + most) >> 1);
      int32_t below = 0;
      for (Py_ssize_t i = 0; i < c; i++) below += keys[i] <= half;
      if (below > wanted) most = half;
      else least = half + 1;
    }
    int32_t upper = least, next = INT32_MAX, below = 0;
    if (c % 2 == 0) {
      for (Py_ssize_t i = 0; i < c; i++) {
        below += keys[i] <= least;
        const int32_t above = keys[i] > least ? keys[i] : INT32_MAX;
        next = above < next ? above : next;
      }
      if (below < wanted + 2) upper = next;
    }
    int32_t ends[2] = {least ^ ((least >> 31) & INT32_MAX), upper ^ ((upper >> 31) & INT32_MAX)};
    float values[2];
    memcpy(values, ends, 8);
    out[r] = (float)(((double)values[0] + values[1]) / 2);
  }
}

/* -- y = x * scale - offset of the row */

LOOP FN(less_tile)(const int nv, Py_ssize_t used, Py_ssize_t at, const void *x, int counts, float *y, Py_ssize_t stride,
                   Py_ssize_t rows, Py_ssize_t c, const float *scale, const float *offset) {
  FN(fvec) by[WIDE], in[WIDE];
  FN(take)(nv, used, scale + at, by);
  for (Py_ssize_t r = 0; r < rows; r++) {
    FN(take_any)(nv, used, x, counts, r * c + at, in);
    for (int v = 0; v < nv; v++) in[v] = in[v] * by[v] - offset[r];
    FN(give)(nv, used, in, y + r * stride);
  }
}

static TARGET void FN(less)(const void *x, int counts, float *y, Py_ssize_t n, Py_ssize_t c, const float *scale,
                            const float *offset) {
#define CALL_ARGS x, counts, y + i, c, n, c, scale, offset
  EACH_FLOAT_TILE(0, c, less_tile);
#undef CALL_ARGS
}

/* -- running sums */

LOOP FN(sums_tile)(const int nv, Py_ssize_t used, Py_ssize_t at, const float *x, Py_ssize_t n, Py_ssize_t c, double *total) {
  FN(vec) sum[WIDE], in[WIDE];
  FN(get)(nv, used, total + at, sum);
  for (Py_ssize_t r = 0; r < n; r++) {
    FN(get_float)(nv, used, x + r * c + at, in);
    for (int v = 0; v < nv; v++) sum[v] += in[v];
  }
  FN(put)(nv, used, sum, total + at);
}

static TARGET void FN(sums)(const float *x, Py_ssize_t n, Py_ssize_t c, double *total) {
#define CALL_ARGS x, n, c, total
  EACH_TILE(c, sums_tile);
#undef CALL_ARGS
}

static TARGET void FN(covariance)(const float *x, Py_ssize_t n, Py_ssize_t c, double *total) {
  for (Py_ssize_t r = 0; r < n; r++, x += c)
    for (Py_ssize_t i = 0; i < c; i++) {
      const double one = x[i];
      for (Py_ssize_t j = 0; j < c; j++) total[i * c + j] += one * x[j];
    }
}

/* -- crossings: own (5, c) as __init__.py says. y (rows of 0 and 1) or crossed (added up) may be NULL */

LOOP FN(crossings_tile)(const int nv, Py_ssize_t used, Py_ssize_t at, const float *x, Py_ssize_t stride, float *y,
                        Py_ssize_t rows, Py_ssize_t c, float *own, Py_ssize_t index, const Rule *rule, double *crossed) {
  FN(fvec) was[WIDE], left[WIDE], level[WIDE], size[WIDE], seen[WIDE], limit[WIDE], in[WIDE], count[WIDE];
  const FN(fvec) one = (FN(fvec)){0} + 1.0f, never = (FN(fvec)){0} + __builtin_inff();
  const FN(fvec) refractory = (FN(fvec)){0} + rule->refractory;
  own += at;
  FN(take)(nv, used, own, was);
  FN(take)(nv, used, own + c, left);
  FN(take)(nv, used, own + 2 * c, level);
  FN(take)(nv, used, own + 3 * c, size);
  FN(take)(nv, used, own + 4 * c, seen);
  Py_ssize_t until = rule->hop - index % rule->hop; /* rows up to and with the next look at the level */
  for (int v = 0; v < nv; v++) {
    limit[v] = PICK(seen[v] < rule->warm, never, rule->times * level[v]);
    count[v] = (FN(fvec)){0};
  }
  for (Py_ssize_t r = 0; r < rows; r++) {
    FN(take)(nv, used, x + r * stride, in);
    for (int v = 0; v < nv; v++) {
      in[v] = rule->side * in[v];
      left[v] -= 1.0f;
      const FN(ivec) found = (in[v] > limit[v]) & (was[v] <= limit[v]) & (left[v] < 1.0f);
      left[v] = PICK(found, refractory, left[v]);
      was[v] = in[v];
      in[v] = (FN(fvec))(found & (FN(ivec))one);
      count[v] += in[v];
    }
    if (y) FN(give)(nv, used, in, y + r * stride);
    if (--until == 0) {
      until = rule->hop;
      for (int v = 0; v < nv; v++) {
        const FN(fvec) high = (FN(fvec))((FN(ivec))was[v] & INT32_MAX);
        seen[v] += 1.0f;
        FN(fvec) pull = one / seen[v];
        pull = PICK(pull > rule->gain, pull, (FN(fvec)){0} + rule->gain);
        FN(fvec) most = 4.0f * size[v]; /* what one look may say, so that an artefact does not lift it for long */
        most = PICK(most > 1e-3f, most, (FN(fvec)){0} + 1e-3f);
        most = PICK((high < most) | (seen[v] <= rule->warm), high, most);
        size[v] += pull * (most - size[v]);
        level[v] += PICK(high > level[v], pull * size[v], -(pull * size[v]));
        level[v] = PICK(level[v] > 0.0f, level[v], (FN(fvec)){0});
        limit[v] = PICK(seen[v] < rule->warm, never, rule->times * level[v]);
      }
    }
  }
  FN(give)(nv, used, was, own);
  FN(give)(nv, used, left, own + c);
  FN(give)(nv, used, level, own + 2 * c);
  FN(give)(nv, used, size, own + 3 * c);
  FN(give)(nv, used, seen, own + 4 * c);
  if (crossed)
    for (Py_ssize_t i = 0; i < used; i++) crossed[at + i] += ((const float *)count)[i];
}

static TARGET void FN(crossings)(const float *x, float *y, Py_ssize_t n, Py_ssize_t c, float *own, Py_ssize_t index,
                                 const Rule *rule) {
#define CALL_ARGS x + i, c, y + i, n, c, own, index, rule, NULL
  EACH_FLOAT_TILE(0, c, crossings_tile);
#undef CALL_ARGS
}

/* -- all of it, a tile at a time: `less`, `biquads` or `biquads32`, `crossings`, `squares` */

LOOP FN(features_tile)(const int nv, Py_ssize_t used, Py_ssize_t at, const Features *f, const void *x, const float *offset,
                       Py_ssize_t rows, Py_ssize_t index) {
  ALIGNED float tile[BLOCK * WIDE * FLOATS];
  const Py_ssize_t wide = nv * FLOATS, half = nv * LANES, c = f->c;
  FN(less_tile)(nv, used, at, x, f->counts, tile, wide, rows, c, f->scale, offset);
  if (f->single)
    FN(biquads32_tile)(nv, used, at, tile, tile, wide, rows, c, f->base, f->coef, f->sections, f->state);
  else
    for (Py_ssize_t done = 0; done < used; done += half)
      FN(biquads_tile)(nv, used - done < half ? used - done : half, at + done, tile + done, tile + done, wide, rows, c, f->coef,
                       f->sections, f->state);
  FN(crossings_tile)(nv, used, at, tile, wide, NULL, rows, c, f->own, index, &f->rule, f->crossed);
  for (Py_ssize_t done = 0; done < used; done += half)
    FN(squares_tile)(nv, used - done < half ? used - done : half, at + done, tile + done, rows, wide, f->power);
}

static TARGET void FN(unit_features)(const Features *f) {
  const Py_ssize_t size = f->counts ? sizeof(int16_t) : sizeof(float);
  for (Py_ssize_t r = 0; r < f->n; r += BLOCK) {
    const Py_ssize_t rows = f->n - r < BLOCK ? f->n - r : BLOCK;
    const char *x = (const char *)f->x + r * f->c * size;
#define CALL_ARGS f, x, f->offset + r, rows, f->at + r
    EACH_FLOAT_TILE(f->low, f->high, features_tile);
#undef CALL_ARGS
  }
}

#undef FLOATS
#undef EACH_FLOAT_TILE
#undef PICK
