/* The functions on many small matrices, included by _kernels.c; their loops are in _loops_matrices.h. */

KERNEL(logs) {
  ARGUMENTS(4)
  WITH(C, 0, "d", 3)
  WITH(white, 1, "d", 2)
  WITH(basis, 2, "!d", 3)
  WITH(out, 3, "!d", 3)
  const Py_ssize_t n = C->shape[0], c = C->shape[1];
  FIT(C->shape[2] == c && white->shape[0] == c && white->shape[1] == c)
  FIT(basis->shape[0] == n && basis->shape[1] == c && basis->shape[2] == c)
  FIT(out->shape[0] == n && out->shape[1] == c && out->shape[2] == c)
  if (n > 0 && c > 0) {
    void *room = PyMem_Malloc(4 * c * c * 64 + 64);
    if (!room) {
      PyErr_NoMemory();
      goto end;
    }
    void *even = (void *)(((uintptr_t)room + 63) & ~(uintptr_t)63);
    RUN(n * c * c * c, logs, C->buf, white->buf, basis->buf, out->buf, n, c, even);
    PyMem_Free(room);
  }
  DONE
}
