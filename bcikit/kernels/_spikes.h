/* The functions of implant boards' fast path, included by _kernels.c; their loops are in _loops_spikes.h. */

static char type_of(const Py_buffer *v) { return v->format ? v->format[strlen(v->format) - 1] : 'B'; }

/* 1 where the buffer holds counts (int16), 0 where samples (float), -1 with an exception else */
static int counts_in(const Py_buffer *v) {
  const char type = type_of(v);
  if (type == 'h' || type == 'f') return type == 'h';
  PyErr_SetString(PyExc_TypeError, "a buffer of float32 or int16 is wanted");
  return -1;
}

static Rule rule_from(const double *v) {
  return (Rule){(Py_ssize_t)v[0], (float)v[1], (float)v[2], (float)v[3], (float)v[4], (float)v[5]};
}

KERNEL(biquads32) {
  ARGUMENTS(5)
  WITH(x, 0, "f", 2)
  WITH(y, 1, "!f", 2)
  WITH(base, 2, "f", 1)
  WITH(coef, 3, "d", 2)
  WITH(state, 4, "!f", 3)
  const Py_ssize_t n = x->shape[0], c = x->shape[1], sections = coef->shape[0];
  FIT(y->shape[0] == n && y->shape[1] == c && base->shape[0] == c)
  FIT(coef->shape[1] == 5 && state->shape[0] == sections && state->shape[1] == 2 && state->shape[2] == c)
  RUN(5 * n * c * sections, biquads32, x->buf, y->buf, n, c, base->buf, coef->buf, sections, state->buf);
  DONE
}

KERNEL(means) {
  ARGUMENTS(3)
  WITH(x, 0, "*", 2)
  WITH(out, 1, "!f", 1)
  const double scale = PyFloat_AsDouble(args[2]);
  const int counts = counts_in(x);
  if (PyErr_Occurred()) goto end;
  FIT(out->shape[0] == x->shape[0] && x->shape[1] > 0)
  RUN(x->shape[0] * x->shape[1], means, x->buf, counts, out->buf, x->shape[0], x->shape[1], scale);
  DONE
}

KERNEL(medians) {
  ARGUMENTS(2)
  WITH(x, 0, "f", 2)
  WITH(out, 1, "!f", 1)
  FIT(out->shape[0] == x->shape[0] && x->shape[1] > 0)
  int32_t *keys = PyMem_Malloc(x->shape[1] * sizeof *keys);
  if (!keys) {
    PyErr_NoMemory();
    goto end;
  }
  RUN(32 * x->shape[0] * x->shape[1], medians, x->buf, out->buf, x->shape[0], x->shape[1], keys);
  PyMem_Free(keys);
  DONE
}

KERNEL(less) {
  ARGUMENTS(4)
  WITH(x, 0, "*", 2)
  WITH(y, 1, "!f", 2)
  WITH(scale, 2, "f", 1)
  WITH(offset, 3, "f", 1)
  const Py_ssize_t n = x->shape[0], c = x->shape[1];
  const int counts = counts_in(x);
  if (PyErr_Occurred()) goto end;
  FIT(y->shape[0] == n && y->shape[1] == c && scale->shape[0] == c && offset->shape[0] == n)
  RUN(n * c, less, x->buf, counts, y->buf, n, c, scale->buf, offset->buf);
  DONE
}

KERNEL(sums) {
  ARGUMENTS(2)
  WITH(x, 0, "f", 2)
  WITH(total, 1, "!d", 1)
  FIT(total->shape[0] == x->shape[1])
  RUN(x->shape[0] * x->shape[1], sums, x->buf, x->shape[0], x->shape[1], total->buf);
  DONE
}

KERNEL(covariance) {
  ARGUMENTS(2)
  WITH(x, 0, "f", 2)
  WITH(total, 1, "!d", 2)
  const Py_ssize_t c = x->shape[1];
  FIT(total->shape[0] == c && total->shape[1] == c)
  RUN(x->shape[0] * c * c, covariance, x->buf, x->shape[0], c, total->buf);
  DONE
}

KERNEL(crossings) {
  ARGUMENTS(5)
  WITH(x, 0, "f", 2)
  WITH(y, 1, "!f", 2)
  WITH(own, 2, "!f", 2)
  WHOLE(at, 3)
  WITH(rule, 4, "d", 1)
  const Py_ssize_t n = x->shape[0], c = x->shape[1];
  FIT(y->shape[0] == n && y->shape[1] == c && own->shape[0] == 5 && own->shape[1] == c)
  FIT(rule->shape[0] == 6 && ((const double *)rule->buf)[0] >= 1 && at >= 0)
  const Rule how = rule_from(rule->buf);
  RUN(10 * n * c, crossings, x->buf, y->buf, n, c, own->buf, at, &how);
  DONE
}

KERNEL(unit_features) {
  ARGUMENTS(13)
  WITH(x, 0, "*", 2)
  WITH(scale, 1, "f", 1)
  WITH(offset, 2, "f", 1)
  WITH(coef, 3, "d", 2)
  WITH(state, 4, "*", 3)
  WITH(base, 5, "f", 1)
  WITH(own, 6, "!f", 2)
  WHOLE(at, 7)
  WITH(rule, 8, "d", 1)
  WITH(crossed, 9, "!d", 1)
  WITH(power, 10, "!d", 1)
  WHOLE(low, 11)
  WHOLE(high, 12)
  const Py_ssize_t n = x->shape[0], c = x->shape[1], sections = coef->shape[0];
  const int counts = counts_in(x);
  if (PyErr_Occurred()) goto end;
  FIT((type_of(state) == 'f' || type_of(state) == 'd') && !state->readonly)
  FIT(scale->shape[0] == c && offset->shape[0] == n && base->shape[0] == c)
  FIT(coef->shape[1] == 5 && state->shape[0] == sections && state->shape[1] == 2 && state->shape[2] == c)
  FIT(own->shape[0] == 5 && own->shape[1] == c && crossed->shape[0] == c && power->shape[0] == c)
  FIT(rule->shape[0] == 6 && ((const double *)rule->buf)[0] >= 1 && at >= 0 && 0 <= low && low <= high && high <= c)
  const Features f = {x->buf, counts, type_of(state) == 'f', scale->buf, offset->buf, base->buf, coef->buf, state->buf, own->buf,
                      crossed->buf, power->buf, n, c, sections, at, low, high, rule_from(rule->buf)};
  RUN(30 * n * (high - low), unit_features, &f);
  DONE
}
