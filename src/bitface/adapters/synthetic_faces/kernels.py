"""The geometry of drawing, in warp's own language: normals, the triangle that a sample sees, openness to the sky."""

# Kernels are compiled from their source: annotations are warp's types, which no type checker knows, and `float(0.0)` declares
# a variable that a loop may change. So this file is typed by warp, and annotations must not be postponed.
# mypy: ignore-errors
# ruff: noqa: ANN201, UP018

import warp as wp


@wp.kernel
def add_normals(
    vertices: wp.array(dtype=wp.vec3), triangles: wp.array2d(dtype=wp.int32), normals: wp.array(dtype=wp.vec3)
):
    for t in range(triangles.shape[0]):
        a = triangles[t, 0]
        b = triangles[t, 1]
        c = triangles[t, 2]
        n = wp.cross(vertices[b] - vertices[a], vertices[c] - vertices[a])
        normals[a] = normals[a] + n
        normals[b] = normals[b] + n
        normals[c] = normals[c] + n


@wp.kernel
def nearest(
    screen: wp.array(dtype=wp.vec3),
    triangles: wp.array2d(dtype=wp.int32),
    material: wp.array(dtype=wp.int32),
    skipped: int,
    depth: wp.array2d(dtype=wp.float32),
    seen: wp.array2d(dtype=wp.int32),
):
    # One thread for all triangles: the winner of a tie must not depend on a schedule.
    height = depth.shape[0]
    width = depth.shape[1]
    for t in range(triangles.shape[0]):
        if material[t] == skipped:
            continue
        a = screen[triangles[t, 0]]
        b = screen[triangles[t, 1]]
        c = screen[triangles[t, 2]]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if wp.abs(area) < 1.0e-9:
            continue
        left = wp.max(int(wp.ceil(wp.min(a[0], wp.min(b[0], c[0])) - 0.5)), 0)
        right = wp.min(int(wp.floor(wp.max(a[0], wp.max(b[0], c[0])) - 0.5)), width - 1)
        top = wp.max(int(wp.ceil(wp.min(a[1], wp.min(b[1], c[1])) - 0.5)), 0)
        bottom = wp.min(int(wp.floor(wp.max(a[1], wp.max(b[1], c[1])) - 0.5)), height - 1)
        inverse = 1.0 / area
        for y in range(top, bottom + 1):
            py = float(y) + 0.5
            for x in range(left, right + 1):
                px = float(x) + 0.5
                v = ((px - a[0]) * (c[1] - a[1]) - (py - a[1]) * (c[0] - a[0])) * inverse
                w = ((b[0] - a[0]) * (py - a[1]) - (b[1] - a[1]) * (px - a[0])) * inverse
                u = 1.0 - v - w
                if u >= 0.0 and v >= 0.0 and w >= 0.0:
                    z = u * a[2] + v * b[2] + w * c[2]
                    if z > depth[y, x]:
                        depth[y, x] = z
                        seen[y, x] = t


@wp.kernel
def open_share(
    mesh: wp.uint64,
    points: wp.array(dtype=wp.vec3),
    normals: wp.array(dtype=wp.vec3),
    directions: wp.array(dtype=wp.vec3),
    reach: float,
    share: wp.array(dtype=wp.float32),
):
    i = wp.tid()
    free = float(0.0)
    total = float(0.0)
    for k in range(directions.shape[0]):
        d = directions[k]
        cosine = wp.dot(d, normals[i])
        if cosine > 0.05:
            total = total + cosine
            query = wp.mesh_query_ray(mesh, points[i] + normals[i] * 0.012, d, reach)
            if not query.result:
                free = free + cosine
    share[i] = free / wp.max(total, 1.0e-6)
