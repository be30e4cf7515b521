/* What a supervisor does at every step, included by _kernels.c: the arithmetic of _numpy.py, in its order, so that the bytes are
   the same where nothing is fused. */

static inline double lesser(double a, double b) { return a < b || a != a ? a : b; } /* NaN if either is */
static inline double larger(double a, double b) { return a > b || a != a ? a : b; }

static inline double braked(double room, double bend, double dt) {
  const double q = bend * dt, n = floor((sqrt(1 + 8 * room / (q * dt)) - 1) / 2);
  return (room / dt + q * n * (n + 1) / 2) / (n + 1);
}

/* Arrays of `ramp` and `reach` have any axes, the last one the channels. */

KERNEL(ramp) {
  ARGUMENTS(10)
  WITH(values, 0, "d", 0)
  WITH(slopes, 1, "d", 0)
  WITH(targets, 2, "d", 0)
  WITH(lows, 3, "d", 1)
  WITH(highs, 4, "d", 1)
  WITH(steeps, 5, "d", 1)
  WITH(bends, 6, "d", 1)
  const double dt = PyFloat_AsDouble(args[7]);
  if (PyErr_Occurred()) goto end;
  WITH(to_values, 8, "!d", 0)
  WITH(to_slopes, 9, "!d", 0)
  const Py_ssize_t n = lows->shape[0], size = values->len;
  FIT(slopes->len == size && targets->len == size && to_values->len == size && to_slopes->len == size)
  FIT(highs->shape[0] == n && steeps->shape[0] == n && bends->shape[0] == n && (n ? size % (8 * n) : size) == 0)
  const double *value = values->buf, *slope = slopes->buf, *target = targets->buf;
  const double *low = lows->buf, *high = highs->buf, *steep = steeps->buf, *bend = bends->buf;
  double *to_value = to_values->buf, *to_slope = to_slopes->buf;
  for (Py_ssize_t i = 0, k = 0; i < size / 8; i++, k = k + 1 < n ? k + 1 : 0) {
    const double q = bend[k] * dt, gap = target[i] - value[i];
    const double above = braked(larger(high[k] - value[i], 0.0), bend[k], dt);
    const double below = braked(larger(value[i] - low[k], 0.0), bend[k], dt);
    const double wanted = copysign(braked(larger(fabs(gap), 0.0), bend[k], dt), gap);
    const double up = lesser(lesser(slope[i] + q, steep[k]), above);
    const double down = larger(larger(slope[i] - q, -steep[k]), -below);
    to_slope[i] = lesser(larger(wanted, down), up);
    to_value[i] = lesser(larger(value[i] + to_slope[i] * dt, low[k]), high[k]);
  }
  DONE
}

KERNEL(reach) {
  ARGUMENTS(7)
  WITH(velocities, 0, "d", 0)
  WITH(slopes, 1, "d", 0)
  WITH(steeps, 2, "d", 1)
  WITH(bends, 3, "d", 1)
  const double dt = PyFloat_AsDouble(args[4]);
  if (PyErr_Occurred()) goto end;
  WITH(backs, 5, "!d", 0)
  WITH(forths, 6, "!d", 0)
  const Py_ssize_t n = steeps->shape[0], size = velocities->len;
  FIT(slopes->len == size && backs->len == size && forths->len == size)
  FIT(bends->shape[0] == n && (n ? size % (8 * n) : size) == 0)
  const double *velocity = velocities->buf, *slope = slopes->buf, *steep = steeps->buf, *bend = bends->buf;
  double *ways[2] = {backs->buf, forths->buf};
  for (Py_ssize_t i = 0, k = 0; i < size / 8; i++, k = k + 1 < n ? k + 1 : 0) {
    const double size_of = fabs(slope[i]), turned = velocity[i] + slope[i] * size_of / (2 * bend[k]);
    const double settle = size_of / bend[k] + 2 * dt;
    for (int way = 0; way < 2; way++) {
      const double sign = way ? 1.0 : -1.0, left = larger(sign * turned, 0.0);
      const double fastest = larger(sign * velocity[i], left);
      const double s_curve = left < steep[k] * steep[k] / bend[k] ? left * sqrt(left / bend[k])
                                                                  : left * (steep[k] / bend[k] + left / steep[k]) / 2;
      ways[way][i] = fastest * settle + s_curve;
    }
  }
  DONE
}

KERNEL(gaps) {
  ARGUMENTS(5)
  WITH(firsts, 0, "d", 3)
  WITH(lasts, 1, "d", 3)
  WITH(spheres, 2, "d", 2)
  WITH(boxes, 3, "d", 2)
  WITH(out, 4, "!d", 3)
  const Py_ssize_t k = firsts->shape[0] * firsts->shape[1], m = spheres->shape[0], places = m + boxes->shape[0];
  FIT(firsts->shape[2] == 3 && lasts->len == firsts->len && spheres->shape[1] == 4 && boxes->shape[1] == 6)
  FIT(out->shape[0] == firsts->shape[0] && out->shape[1] == firsts->shape[1] && out->shape[2] == places)
  for (Py_ssize_t i = 0; i < k; i++) {
    const double *first = (const double *)firsts->buf + 3 * i, *last = (const double *)lasts->buf + 3 * i;
    double *gap = (double *)out->buf + places * i;
    for (Py_ssize_t j = 0; j < places; j++) {
      const double *low = j < m ? (const double *)spheres->buf + 4 * j : (const double *)boxes->buf + 6 * (j - m);
      const double *high = j < m ? low : low + 3; /* a sphere's centre is a box of no size */
      double squares = 0.0, nearest = -INFINITY;
      for (int axis = 0; axis < 3; axis++) {
        const double off = larger(first[axis] - high[axis], low[axis] - last[axis]), outside = larger(off, 0.0);
        squares += outside * outside;
        nearest = larger(nearest, off);
      }
      gap[j] = j < m ? sqrt(squares) - low[3] : sqrt(squares) + lesser(nearest, 0.0);
    }
  }
  DONE
}

enum { SEQ, LEASE, GOOD, ALIVE, BRAIN, WRITTEN, CHANGED, HEARD, REFUSED, OWN }; /* rows of what a supervisor knows */
enum { ITS_SEQ, ITS_LEASE, ITS_ALIVE, ITS_BRAIN, ITS_WRITTEN, ABOUT };          /* and of what comes with a command */

KERNEL(hear) {
  ARGUMENTS(8)
  WITH(owns, 0, "!d", 2)
  WITH(askeds, 1, "!d", 2)
  WITH(abouts, 2, "d", 2)
  WITH(valued, 3, "d", 2)
  WITH(middles, 4, "d", 1)
  WITH(mosts, 5, "d", 1)
  const double now = PyFloat_AsDouble(args[6]), soon = PyFloat_AsDouble(args[7]);
  if (PyErr_Occurred()) goto end;
  const Py_ssize_t k = askeds->shape[0], n = askeds->shape[1];
  FIT(owns->shape[0] == OWN && owns->shape[1] == k && abouts->shape[0] == ABOUT && abouts->shape[1] == k)
  FIT(valued->shape[0] == k && valued->shape[1] == n && middles->shape[0] == n && mosts->shape[0] == n)
  const double *middle = middles->buf, *most = mosts->buf;
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
    for (Py_ssize_t j = 0; near && j < n; j++) asked[j] = values[j];
    own[SEQ * k] = seq;
    own[GOOD * k] = near;
    own[ALIVE * k] = about[ITS_ALIVE * k];
    own[BRAIN * k] = brain;
    own[WRITTEN * k] = written;
  }
  DONE
}
