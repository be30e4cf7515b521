/* What a supervisor does at every step, included by _kernels.c: the arithmetic of _numpy.py, in its order, so that the bytes are
   the same where nothing is fused. */

#define TOUCH 1e-12 /* m: nearer by less is no nearer */

static inline double lesser(double a, double b) { return a < b || a != a ? a : b; } /* NaN if either is */
static inline double larger(double a, double b) { return a > b || a != a ? a : b; }

static inline double braked(double room, double bend, double dt) {
  const double q = bend * dt, n = floor((sqrt(1 + 8 * room / (q * dt)) - 1) / 2);
  return (room / dt + q * n * (n + 1) / 2) / (n + 1);
}

typedef struct { /* how far and how fast a command may go */
  double low, high, steep, bend;
} Bounds;

static inline Bounds bounds_of(const double *rows, Py_ssize_t n, Py_ssize_t c) {
  return (Bounds){rows[c], rows[n + c], rows[2 * n + c], rows[3 * n + c]};
}

/* One step of dt from a value and its slope towards the target. */
static inline void ramped(double from, double steep, double target, Bounds b, double dt, double *value, double *slope) {
  const double q = b.bend * dt, gap = target - from;
  const double above = braked(larger(b.high - from, 0.0), b.bend, dt);
  const double below = braked(larger(from - b.low, 0.0), b.bend, dt);
  const double wanted = copysign(braked(larger(fabs(gap), 0.0), b.bend, dt), gap);
  const double up = lesser(lesser(steep + q, b.steep), above);
  const double down = larger(larger(steep - q, -b.steep), -below);
  *slope = lesser(larger(wanted, down), up);
  *value = lesser(larger(from + *slope * dt, b.low), b.high);
}

/* How far it would still go that way (-1 or 1), were it ramped to zero from the next step on. */
static inline double reached(double velocity, double slope, Bounds b, double dt, double way) {
  const double size = fabs(slope), turned = velocity + slope * size / (2 * b.bend);
  const double settle = size / b.bend + 2 * dt, left = larger(way * turned, 0.0);
  const double s_curve = left < b.steep * b.steep / b.bend ? left * sqrt(left / b.bend)
                                                           : left * (b.steep / b.bend + left / b.steep) / 2;
  return larger(way * velocity, left) * settle + s_curve;
}

/* How far the box from first to last is from place j of m spheres and then boxes; below 0 inside of it. */
static double gap_of(const double *first, const double *last, const double *spheres, Py_ssize_t m, const double *boxes,
                     Py_ssize_t j) {
  const double *low = j < m ? spheres + 4 * j : boxes + 6 * (j - m);
  const double *high = j < m ? low : low + 3; /* a sphere's centre is a box of no size */
  double squares = 0.0, nearest = -INFINITY;
  for (int axis = 0; axis < 3; axis++) {
    const double off = larger(first[axis] - high[axis], low[axis] - last[axis]), outside = larger(off, 0.0);
    squares += outside * outside;
    nearest = larger(nearest, off);
  }
  return j < m ? sqrt(squares) - low[3] : sqrt(squares) + lesser(nearest, 0.0);
}

/* Arrays have any axes, the last one the channels. */
KERNEL(ramp) {
  ARGUMENTS(6)
  WITH(values, 0, "d", 0)
  WITH(slopes, 1, "d", 0)
  WITH(targets, 2, "d", 0)
  WITH(bounds, 3, "d", 2)
  REAL(dt, 4)
  WITH(to, 5, "!d", 0)
  const Py_ssize_t n = bounds->shape[1], size = values->len;
  FIT(slopes->len == size && targets->len == size && to->len == 2 * size)
  FIT(bounds->shape[0] == 4 && (n ? size % (8 * n) : size) == 0)
  const double *from = values->buf, *steep = slopes->buf, *target = targets->buf;
  double *value = to->buf, *slope = value + size / 8;
  for (Py_ssize_t i = 0, c = 0; i < size / 8; i++, c = c + 1 < n ? c + 1 : 0)
    ramped(from[i], steep[i], target[i], bounds_of(bounds->buf, n, c), dt, &value[i], &slope[i]);
  DONE
}

/* Each of `moves` is a channel, the point that it moves, and along which axis. */
typedef struct {
  const int64_t *channel, *point, *axis;
  Py_ssize_t m;
} Moves;

/* The box of all places where a point that is `here` may come to, if everything were ramped to zero from the next step on. */
static void reach_of(Py_ssize_t point, const double *here, const Moves *by, const double *value, const double *slope,
                     const double *bounds, Py_ssize_t n, double dt, double *first, double *last) {
  for (int axis = 0; axis < 3; axis++) first[axis] = last[axis] = here[axis];
  for (Py_ssize_t j = 0; j < by->m; j++) {
    if (by->point[j] != point) continue;
    const Py_ssize_t c = by->channel[j];
    first[by->axis[j]] -= reached(value[c], slope[c], bounds_of(bounds, n, c), dt, -1.0);
    last[by->axis[j]] += reached(value[c], slope[c], bounds_of(bounds, n, c), dt, 1.0);
  }
}

KERNEL(guide) {
  ARGUMENTS(14)
  WITH(values, 0, "d", 2)
  WITH(slopes, 1, "d", 2)
  WITH(targets, 2, "d", 2)
  WITH(points, 3, "d", 3)
  WITH(bounded, 4, "d", 2)
  WITH(moves, 5, "q", 2)
  WITH(fences, 6, "d", 2)
  WITH(spheres, 7, "d", 2)
  WITH(boxes, 8, "d", 2)
  WITH(pairs, 9, "q", 2)
  REAL(apart, 10)
  REAL(margin, 11)
  REAL(dt, 12)
  WITH(to, 13, "!d", 3)
  const Py_ssize_t k = values->shape[0], n = values->shape[1], p = points->shape[1], m = moves->shape[1];
  const Py_ssize_t ns = spheres->shape[0], places = ns + boxes->shape[0];
  const int64_t *pair = pairs->buf;
  const Moves by = {moves->buf, (const int64_t *)moves->buf + m, (const int64_t *)moves->buf + 2 * m, m};
  const double *bounds = bounded->buf, *low = fences->buf, *high = low + m;
  FIT(slopes->len == values->len && targets->len == values->len && to->len == 2 * values->len)
  FIT(slopes->shape[1] == n && targets->shape[1] == n && to->shape[0] == 2 && to->shape[2] == n)
  FIT(bounded->shape[0] == 4 && bounded->shape[1] == n && moves->shape[0] == 3)
  FIT(fences->shape[0] == 2 && fences->shape[1] == m && spheres->shape[1] == 4 && boxes->shape[1] == 6)
  FIT(points->shape[0] == k && points->shape[2] == 3 && p <= 64 && pairs->shape[1] == 2)
  for (Py_ssize_t j = 0; j < m; j++)
    FIT(by.channel[j] >= 0 && by.channel[j] < n && by.point[j] >= 0 && by.point[j] < p && by.axis[j] >= 0 && by.axis[j] < 3)
  for (Py_ssize_t j = 0; j < 2 * pairs->shape[0]; j++) FIT(pair[j] >= 0 && pair[j] < p)
  for (Py_ssize_t i = 0; i < k; i++) {
    const double *from = (const double *)values->buf + n * i, *steep = (const double *)slopes->buf + n * i;
    const double *target = (const double *)targets->buf + n * i, *here = (const double *)points->buf + 3 * p * i;
    double *value = (double *)to->buf + n * i, *slope = value + k * n;
    for (Py_ssize_t c = 0; c < n; c++)
      ramped(from[c], steep[c], target[c], bounds_of(bounds, n, c), dt, &value[c], &slope[c]);
    for (Py_ssize_t j = 0; j < m; j++) {
      const Py_ssize_t c = by.channel[j];
      const double at = here[3 * by.point[j] + by.axis[j]];
      const double back = reached(value[c], slope[c], bounds_of(bounds, n, c), dt, -1.0);
      const double forth = reached(value[c], slope[c], bounds_of(bounds, n, c), dt, 1.0);
      if ((back == 0 || at - back >= low[j]) && (forth == 0 || at + forth <= high[j])) continue;
      ramped(from[c], steep[c], 0.0, bounds_of(bounds, n, c), dt, &value[c], &slope[c]);
    }
    uint64_t nears = 0; /* a bit for each point */
    double first[2][3], last[2][3];
    for (Py_ssize_t q = 0; q < (places ? p : 0); q++) {
      reach_of(q, here + 3 * q, &by, value, slope, bounds, n, dt, first[0], last[0]);
      for (Py_ssize_t j = 0; j < places; j++) {
        const double then = gap_of(first[0], last[0], spheres->buf, ns, boxes->buf, j);
        if (then < margin && then < gap_of(here + 3 * q, here + 3 * q, spheres->buf, ns, boxes->buf, j) - TOUCH)
          nears |= UINT64_C(1) << q;
      }
    }
    for (Py_ssize_t j = 0; j < pairs->shape[0]; j++) {
      const int64_t *its = pair + 2 * j;
      double then = 0.0, now = 0.0;
      for (int q = 0; q < 2; q++) reach_of(its[q], here + 3 * its[q], &by, value, slope, bounds, n, dt, first[q], last[q]);
      for (int axis = 0; axis < 3; axis++) {
        const double gap = larger(larger(first[0][axis] - last[1][axis], first[1][axis] - last[0][axis]), 0.0);
        const double way = here[3 * its[0] + axis] - here[3 * its[1] + axis];
        then += gap * gap;
        now += way * way;
      }
      if (sqrt(then) < apart + margin && sqrt(then) < sqrt(now) - TOUCH)
        nears |= UINT64_C(1) << its[0] | UINT64_C(1) << its[1];
    }
    for (Py_ssize_t j = 0; j < m; j++) {
      const Py_ssize_t c = by.channel[j];
      if (!(nears >> by.point[j] & 1)) continue;
      ramped(from[c], steep[c], 0.0, bounds_of(bounds, n, c), dt, &value[c], &slope[c]);
    }
  }
  DONE
}

enum { SEQ, LEASE, GOOD, ALIVE, BRAIN, WRITTEN, CHANGED, HEARD, REFUSED, ASKS, OWN }; /* rows of what a supervisor knows */
enum { ITS_SEQ, ITS_LEASE, ITS_ALIVE, ITS_BRAIN, ITS_WRITTEN, ABOUT };          /* and of what comes with a command */

/* How far the nearest of p points is from a place; NaN where nobody knows where one is. */
static double nearest(const double *point, Py_ssize_t p, const double *spheres, Py_ssize_t m, const double *boxes,
                      Py_ssize_t places) {
  double least = INFINITY;
  for (Py_ssize_t q = 0; q < p; q++, point += 3) {
    if (!isfinite(point[0]) || !isfinite(point[1]) || !isfinite(point[2])) return NAN;
    for (Py_ssize_t j = 0; j < places; j++) least = lesser(least, gap_of(point, point, spheres, m, boxes, j));
  }
  return least;
}

KERNEL(judge) {
  ARGUMENTS(10)
  WITH(owns, 0, "d", 2)
  WITH(states, 1, "d", 2)
  WITH(tolds, 2, "d", 2)
  WITH(points, 3, "d", 3)
  WITH(spheres, 4, "d", 2)
  WITH(boxes, 5, "d", 2)
  WITH(bits, 6, "q", 1)
  WITH(mosts, 7, "d", 1)
  REAL(now, 8)
  WITH(out, 9, "!q", 1)
  const Py_ssize_t k = owns->shape[1], p = points->shape[1], m = spheres->shape[0];
  FIT(owns->shape[0] == OWN && states->shape[0] == 4 && states->shape[1] == k && tolds->shape[0] == 4)
  FIT(tolds->shape[1] == k && points->shape[0] == k && points->shape[2] == 3 && out->shape[0] == k)
  FIT(spheres->shape[1] == 4 && boxes->shape[1] == 6 && bits->shape[0] == 16 && mosts->shape[0] == 16)
  const int64_t *bit = bits->buf;
  const double *most = mosts->buf;
  for (Py_ssize_t i = 0; i < k; i++) {
    const double *own = (const double *)owns->buf + i, *state = (const double *)states->buf + i;
    const double *told = (const double *)tolds->buf + i, *point = (const double *)points->buf + 3 * p * i;
    const double found[16] = {
        -own[SEQ * k], -own[LEASE * k], -own[GOOD * k], -own[ALIVE * k],
        now - own[BRAIN * k], now - own[WRITTEN * k], own[ASKS * k] != 0 ? now - own[CHANGED * k] : -INFINITY,
        now - told[0], told[k], told[2 * k], -told[3 * k],
        state[0], state[k], state[2 * k], state[3 * k],
        -nearest(point, p, spheres->buf, m, boxes->buf, m + boxes->shape[0])};
    int64_t cause = 0;
    for (int r = 0; r < 16; r++)
      if (!(found[r] <= most[r])) cause |= bit[r];
    ((int64_t *)out->buf)[i] = cause;
  }
  DONE
}

KERNEL(hear) {
  ARGUMENTS(9)
  WITH(owns, 0, "!d", 2)
  WITH(askeds, 1, "!d", 2)
  WITH(abouts, 2, "d", 2)
  WITH(valued, 3, "d", 2)
  WITH(middles, 4, "d", 1)
  WITH(mosts, 5, "d", 1)
  WITH(rests, 6, "d", 1)
  REAL(now, 7)
  REAL(soon, 8)
  const Py_ssize_t k = askeds->shape[0], n = askeds->shape[1];
  FIT(owns->shape[0] == OWN && owns->shape[1] == k && abouts->shape[0] == ABOUT && abouts->shape[1] == k)
  FIT(valued->shape[0] == k && valued->shape[1] == n && middles->shape[0] == n && mosts->shape[0] == n)
  FIT(rests->shape[0] == n)
  const double *middle = middles->buf, *most = mosts->buf, *rest = rests->buf;
  for (Py_ssize_t i = 0; i < k; i++) {
    double *own = (double *)owns->buf + i, *asked = (double *)askeds->buf + i * n;
    const double *about = (const double *)abouts->buf + i, *values = (const double *)valued->buf + i * n;
    const double seq = about[ITS_SEQ * k], brain = about[ITS_BRAIN * k], written = about[ITS_WRITTEN * k];
    if (seq == own[HEARD * k]) continue;
    own[HEARD * k] = seq;
    if (!(seq > own[SEQ * k] && about[ITS_LEASE * k] == own[LEASE * k] && own[LEASE * k] != 0 && brain >= own[BRAIN * k] &&
          brain <= soon && written <= soon)) {
      own[REFUSED * k] += 1;
      continue;
    }
    int near = 1, fresh = 0;
    for (Py_ssize_t j = 0; j < n; j++) {
      near &= fabs(values[j] - middle[j]) <= most[j];
      fresh |= values[j] != asked[j];
    }
    if ((near && fresh) || isinf(own[CHANGED * k])) own[CHANGED * k] = now;
    if (near) own[ASKS * k] = 0;
    for (Py_ssize_t j = 0; near && j < n; j++) {
      asked[j] = values[j];
      if (asked[j] != rest[j]) own[ASKS * k] = 1;
    }
    own[SEQ * k] = seq;
    own[GOOD * k] = near;
    own[ALIVE * k] = about[ITS_ALIVE * k];
    own[BRAIN * k] = brain;
    own[WRITTEN * k] = written;
  }
  DONE
}
