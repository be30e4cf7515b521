/* How values go to others without breaking their bounds, included by _kernels.c: the arithmetic of _numpy.py, in its order, so
   that the bytes are the same where nothing is fused. Arrays have any axes, the last one the channels. */

static inline double lesser(double a, double b) { return a < b || a != a ? a : b; } /* NaN if either is */
static inline double larger(double a, double b) { return a > b || a != a ? a : b; }

static inline double braked(double room, double bend, double dt) {
  const double q = bend * dt, n = floor((sqrt(1 + 8 * room / (q * dt)) - 1) / 2);
  return (room / dt + q * n * (n + 1) / 2) / (n + 1);
}

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
