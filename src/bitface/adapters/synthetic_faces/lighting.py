"""The light that a sample of skin, eye, hair or glass sends to the camera, in warp's own language."""

# Kernels are compiled from their source: annotations are warp's types, which no type checker knows, and `float(0.0)` declares
# a variable that a loop may change. So this file is typed by warp, and annotations must not be postponed.
# mypy: ignore-errors
# ruff: noqa: ANN201, SIM102, UP018

import warp as wp

SKIN = wp.constant(0)
EYE = wp.constant(1)
TEETH = wp.constant(2)
MOUTH = wp.constant(3)
LASH = wp.constant(4)
HAIR = wp.constant(5)
FRAME = wp.constant(6)
SOCKET = wp.constant(7)
"""Materials of a triangle."""


@wp.func
def _texel(texture: wp.array2d(dtype=wp.vec4), u: float, v: float) -> wp.vec4:
    height = texture.shape[0]
    width = texture.shape[1]
    x = wp.clamp(u * float(width) - 0.5, 0.0, float(width) - 1.001)
    y = wp.clamp(v * float(height) - 0.5, 0.0, float(height) - 1.001)
    i = int(y)
    j = int(x)
    fy = y - float(i)
    fx = x - float(j)
    top = texture[i, j] * (1.0 - fx) + texture[i, j + 1] * fx
    low = texture[i + 1, j] * (1.0 - fx) + texture[i + 1, j + 1] * fx
    return top * (1.0 - fy) + low * fy


@wp.func
def _smooth(low: float, high: float, value: float) -> float:
    t = wp.clamp((value - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


@wp.func
def _power(base: float, exponent: int) -> float:
    # A library's power differs from processor to processor in the last bit; so do its sine and arc tangent.
    result = float(1.0)
    square = float(base)
    left = int(exponent)
    while left > 0:
        if left % 2 == 1:
            result = result * square
        square = square * square
        left = left / 2
    return result


@wp.func
def _wave(turns: float) -> float:
    half = 2.0 * (turns - wp.floor(turns))
    if half < 1.0:
        return 4.0 * half * (1.0 - half)
    return -4.0 * (half - 1.0) * (2.0 - half)


@wp.func
def _turns(y: float, x: float) -> float:
    big = wp.max(wp.max(wp.abs(x), wp.abs(y)), 1.0e-9)
    small = wp.min(wp.abs(x), wp.abs(y)) / big
    turns = small * (0.125 + 0.0434 * (1.0 - small))
    if wp.abs(y) > wp.abs(x):
        turns = 0.25 - turns
    if x < 0.0:
        turns = 0.5 - turns
    if y < 0.0:
        turns = -turns
    return turns


@wp.func
def _lit_share(shadow: wp.array2d(dtype=wp.float32), place: wp.vec3, bias: float) -> float:
    height = shadow.shape[0]
    width = shadow.shape[1]
    lit = float(0.0)
    for i in range(-2, 3):
        for j in range(-2, 3):
            x = wp.clamp(int(place[0]) + j, 0, width - 1)
            y = wp.clamp(int(place[1]) + i, 0, height - 1)
            if shadow[y, x] <= place[2] + bias:
                lit = lit + 0.04
    return lit


@wp.func
def _light_of_sample(
    y: int,
    x: int,
    t: int,
    screen: wp.array(dtype=wp.vec3),
    light_screen: wp.array(dtype=wp.vec3),
    vertices: wp.array(dtype=wp.vec3),
    normals: wp.array(dtype=wp.vec3),
    coordinates: wp.array(dtype=wp.vec2),
    attributes: wp.array(dtype=wp.vec4),
    triangles: wp.array2d(dtype=wp.int32),
    material: wp.array(dtype=wp.int32),
    texture: wp.array2d(dtype=wp.vec4),
    strands: wp.array2d(dtype=wp.float32),
    colours: wp.array(dtype=wp.vec3),
    iris_radius: float,
    lights: wp.array(dtype=wp.vec3),
    shadow: wp.array2d(dtype=wp.float32),
    shadow_bias: float,
) -> wp.vec3:
    ia = triangles[t, 0]
    ib = triangles[t, 1]
    ic = triangles[t, 2]
    a = screen[ia]
    b = screen[ib]
    c = screen[ic]
    px = float(x) + 0.5
    py = float(y) + 0.5
    area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    v = ((px - a[0]) * (c[1] - a[1]) - (py - a[1]) * (c[0] - a[0])) / area
    w = ((b[0] - a[0]) * (py - a[1]) - (b[1] - a[1]) * (px - a[0])) / area
    u = 1.0 - v - w
    # screen z is the inverse distance, which is what makes the weights perspective-correct.
    pu = u * a[2]
    pv = v * b[2]
    pw = w * c[2]
    total = pu + pv + pw
    pu = pu / total
    pv = pv / total
    pw = pw / total
    place = vertices[ia] * pu + vertices[ib] * pv + vertices[ic] * pw
    n = wp.normalize(normals[ia] * pu + normals[ib] * pv + normals[ic] * pw)
    st = coordinates[ia] * pu + coordinates[ib] * pv + coordinates[ic] * pw
    at = attributes[ia] * pu + attributes[ib] * pv + attributes[ic] * pw
    ls = light_screen[ia] * pu + light_screen[ib] * pv + light_screen[ic] * pw
    view = wp.normalize(-place)
    m = material[t]
    if wp.dot(n, view) < 0.0:
        n = -n
    openness = at[0]
    albedo = wp.vec3(0.5, 0.5, 0.5)
    gloss = float(0.1)
    sharpness = 20
    wrap = wp.vec3(0.0, 0.0, 0.0)
    if m == SKIN:
        texel = _texel(texture, st[0], st[1])
        albedo = wp.vec3(texel[0], texel[1], texel[2])
        gloss = texel[3]
        lip = _smooth(0.3, 0.8, at[1])
        streak = 0.92 + 0.08 * _wave(st[0] * 143.0)
        albedo = albedo * (1.0 - lip) + wp.cw_mul(colours[2], wp.vec3(streak, streak, streak)) * lip
        gloss = gloss * (1.0 + 0.8 * lip)
        # The darker the skin, the less light wanders under it.
        wrap = wp.vec3(0.30, 0.16, 0.12) * wp.min(0.4 + 2.0 * colours[5][1], 1.0)
    elif m == EYE:
        r = wp.length(st)
        white = wp.cw_mul(colours[6], wp.vec3(1.0, 1.0, 1.0) - wp.vec3(0.03, 0.23, 0.25) * _smooth(0.55, 1.0, r))
        around = _turns(st[1], st[0])
        rays = 0.85 + 0.15 * _wave(around * 23.0) * _wave(around * 7.0 + 0.2)
        inner = r / iris_radius
        iris = colours[0] * (rays * (1.15 - 0.45 * inner))
        iris = iris * (1.0 - 0.75 * _smooth(0.82, 1.0, inner))
        iris = iris * (1.0 - 0.97 * (1.0 - _smooth(0.38, 0.46, inner)))
        blend = _smooth(0.94, 1.06, inner)
        albedo = iris * (1.0 - blend) + white * blend
        gloss = 1.4
        sharpness = 180
        wrap = wp.vec3(0.25, 0.2, 0.2)
        openness = wp.clamp(at[0], 0.0, 1.0)
    elif m == TEETH:
        albedo = colours[3]
        gloss = 0.35
        sharpness = 50
        wrap = wp.vec3(0.3, 0.3, 0.3)
    elif m == MOUTH:
        albedo = wp.vec3(0.30, 0.07, 0.06)
        gloss = 0.15
    elif m == LASH:
        albedo = wp.vec3(0.012, 0.010, 0.010)
        gloss = 0.0
    elif m == HAIR:
        across = wp.clamp(int(st[0] * 1024.0), 0, 1023)
        along = wp.clamp(int(st[1] * 256.0), 0, 255)
        strand = strands[along, across] * at[2]
        albedo = colours[1] * strand
        gloss = 0.09 * strand
        sharpness = 12
        wrap = wp.vec3(0.2, 0.2, 0.2)
    elif m == FRAME:
        albedo = colours[4]
        gloss = 0.6
        sharpness = 60
    else:
        albedo = wp.cw_mul(colours[5], wp.vec3(0.75, 0.5, 0.45))
    key = lights[0]
    fill = lights[2]
    lit = _lit_share(shadow, ls, shadow_bias)
    nk = wp.dot(n, key)
    nf = wp.dot(n, fill)
    light = wp.vec3(0.0, 0.0, 0.0)
    for k in range(3):
        dk = wp.max((nk + wrap[k]) / (1.0 + wrap[k]), 0.0)
        df = wp.max((nf + wrap[k]) / (1.0 + wrap[k]), 0.0)
        up = 0.5 + 0.5 * n[1]
        ambient = lights[4][k] * up + lights[5][k] * (1.0 - up)
        softened = lit + (1.0 - lit) * wrap[k] * 0.35
        light[k] = lights[1][k] * dk * softened * (0.45 + 0.55 * openness) + (lights[3][k] * df + ambient) * openness
    hk = wp.normalize(key + view)
    hf = wp.normalize(fill + view)
    fresnel = 0.35 + 0.65 * _power(1.0 - wp.max(wp.dot(n, view), 0.0), 3)
    shine = gloss * fresnel * openness
    sk = _power(wp.max(wp.dot(n, hk), 0.0), sharpness) * lit
    sf = _power(wp.max(wp.dot(n, hf), 0.0), sharpness)
    return wp.cw_mul(albedo, light) + (lights[1] * sk + lights[3] * sf) * shine


@wp.kernel
def shade(
    screen: wp.array(dtype=wp.vec3),
    light_screen: wp.array(dtype=wp.vec3),
    vertices: wp.array(dtype=wp.vec3),
    normals: wp.array(dtype=wp.vec3),
    coordinates: wp.array(dtype=wp.vec2),
    attributes: wp.array(dtype=wp.vec4),
    triangles: wp.array2d(dtype=wp.int32),
    material: wp.array(dtype=wp.int32),
    texture: wp.array2d(dtype=wp.vec4),
    strands: wp.array2d(dtype=wp.float32),
    colours: wp.array(dtype=wp.vec3),
    iris_radius: float,
    lights: wp.array(dtype=wp.vec3),
    shadow: wp.array2d(dtype=wp.float32),
    shadow_bias: float,
    background: wp.array2d(dtype=wp.vec3),
    depth: wp.array2d(dtype=wp.float32),
    seen: wp.array2d(dtype=wp.int32),
    picture: wp.array2d(dtype=wp.vec3),
):
    row, column = wp.tid()
    y = 2 * row
    x = 2 * column
    # One sample is enough inside a smooth patch of skin or hair; edges, eyes and mouths get all four.
    samples = 1
    near = depth[y, x]
    far = near
    first = seen[y, x]
    if first >= 0:
        if material[first] != SKIN and material[first] != HAIR:
            samples = 4
    for k in range(1, 4):
        t = seen[y + k / 2, x + k % 2]
        d = depth[y + k / 2, x + k % 2]
        near = wp.max(near, d)
        far = wp.min(far, d)
        if t < 0 or first < 0:
            if t != first:
                samples = 4
        elif material[t] != material[first]:
            samples = 4
    if near > far * 1.01:
        samples = 4
    total = wp.vec3(0.0, 0.0, 0.0)
    for k in range(samples):
        sy = y + k / 2
        sx = x + k % 2
        t = seen[sy, sx]
        if t < 0:
            total = total + background[row, column]
        else:
            total = total + _light_of_sample(
                sy,
                sx,
                t,
                screen,
                light_screen,
                vertices,
                normals,
                coordinates,
                attributes,
                triangles,
                material,
                texture,
                strands,
                colours,
                iris_radius,
                lights,
                shadow,
                shadow_bias,
            )
    picture[row, column] = total / float(samples)
