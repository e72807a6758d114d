// Mathematics of one Gaussian: world to screen, colour from spherical harmonics, and both derivatives.
// Pure functions of registers; reads and writes no memory, knows nothing of tiles or threads.
#pragma once

#include "types.cuh"

#include <cmath>

namespace splat {

struct Gaussian {
    float mean[3], log_scale[3], quat[4];
};

// What projecting leaves for its derivative.
struct Projection {
    float p[3];        // camera frame, scene units
    float m[9];        // camera rotation * orientation * scale
    float q[9];        // orientation
    float s[3];        // scales
    float inverse_norm;  // of the quaternion as given
    float u, v;        // p.xy / p.z, clamped as below
    bool u_free, v_free;
    float x, y;        // px
    float a, b, c;     // inverse of the screen covariance
    float cov_xx, cov_yy;
};

SPLAT_HD float dot3(const float* a, const float* b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

// Row-major rotation of a unit quaternion (w, x, y, z).
SPLAT_HD void rotation(float w, float x, float y, float z, float* q) {
    q[0] = 1.f - 2.f * (y * y + z * z);
    q[1] = 2.f * (x * y - w * z);
    q[2] = 2.f * (x * z + w * y);
    q[3] = 2.f * (x * y + w * z);
    q[4] = 1.f - 2.f * (x * x + z * z);
    q[5] = 2.f * (y * z - w * x);
    q[6] = 2.f * (x * z - w * y);
    q[7] = 2.f * (y * z + w * x);
    q[8] = 1.f - 2.f * (x * x + y * y);
}

// False where the Gaussian lies before the near plane, or its screen ellipse is too large or degenerates.
SPLAT_HD bool project(const Camera& cam, const Gaussian& g, Projection& o) {
    for (int i = 0; i < 3; ++i) o.p[i] = dot3(cam.r + 3 * i, g.mean) + cam.t[i];
    const float z = o.p[2];
    if (!(z > kNear)) return false;
    const float norm2 = g.quat[0] * g.quat[0] + g.quat[1] * g.quat[1] + g.quat[2] * g.quat[2] + g.quat[3] * g.quat[3];
    o.inverse_norm = 1.f / sqrtf(fmaxf(norm2, 1e-24f));
    rotation(g.quat[0] * o.inverse_norm, g.quat[1] * o.inverse_norm, g.quat[2] * o.inverse_norm,
             g.quat[3] * o.inverse_norm, o.q);
    for (int k = 0; k < 3; ++k) o.s[k] = expf(g.log_scale[k]);
    for (int i = 0; i < 3; ++i)
        for (int k = 0; k < 3; ++k)
            o.m[3 * i + k] = (cam.r[3 * i] * o.q[k] + cam.r[3 * i + 1] * o.q[3 + k] + cam.r[3 * i + 2] * o.q[6 + k]) * o.s[k];
    const float iz = 1.f / z;
    const float u = o.p[0] * iz, v = o.p[1] * iz;
    // The linearised projection explodes far outside the picture, so its point is held near the border (30 % of
    // half a picture beyond it, as in gsplat).
    const float mx = 0.15f * cam.width / cam.fx, my = 0.15f * cam.height / cam.fy;
    const float u_max = (cam.width - cam.cx) / cam.fx + mx, u_min = -cam.cx / cam.fx - mx;
    const float v_max = (cam.height - cam.cy) / cam.fy + my, v_min = -cam.cy / cam.fy - my;
    o.u_free = u > u_min && u < u_max;
    o.v_free = v > v_min && v < v_max;
    o.u = fminf(fmaxf(u, u_min), u_max);
    o.v = fminf(fmaxf(v, v_min), v_max);
    o.x = cam.fx * u + cam.cx;
    o.y = cam.fy * v + cam.cy;
    float t0[3], t1[3];
    for (int k = 0; k < 3; ++k) {
        t0[k] = cam.fx * iz * (o.m[k] - o.u * o.m[6 + k]);
        t1[k] = cam.fy * iz * (o.m[3 + k] - o.v * o.m[6 + k]);
    }
    o.cov_xx = dot3(t0, t0) + kBlur;
    o.cov_yy = dot3(t1, t1) + kBlur;
    if (!(o.cov_xx < kVarianceMax && o.cov_yy < kVarianceMax)) return false;
    const float xy = dot3(t0, t1);
    const float det = o.cov_xx * o.cov_yy - xy * xy;
    if (!(det > 0.f)) return false;
    const float id = 1.f / det;
    o.a = o.cov_yy * id;
    o.b = -xy * id;
    o.c = o.cov_xx * id;
    return true;
}

// Chain rule of project(). dx, dy: loss by screen position; da, db, dc: loss by the inverse covariance
// (a dx^2 + 2 b dx dy + c dy^2). Adds to d_mean, and sets d_log_scale and d_quat.
SPLAT_HD void project_backward(const Camera& cam, const Gaussian& g, const Projection& o, float dx, float dy,
                               float da, float db, float dc, float* d_mean, float* d_log_scale, float* d_quat) {
    // loss by covariance = -Q G Q with Q the inverse covariance, G = [[da, db/2], [db/2, dc]]
    const float h = 0.5f * db;
    const float g00 = da * o.a + h * o.b, g01 = da * o.b + h * o.c;
    const float g10 = h * o.a + dc * o.b, g11 = h * o.b + dc * o.c;
    const float s00 = -(o.a * g00 + o.b * g10), s01 = -(o.a * g01 + o.b * g11), s11 = -(o.b * g01 + o.c * g11);

    const float iz = 1.f / o.p[2];
    const float fx = cam.fx * iz, fy = cam.fy * iz;
    float dm[9];
    float d_fx_z = 0.f, d_fy_z = 0.f, du = 0.f, dv = 0.f;
    for (int k = 0; k < 3; ++k) {
        const float r0 = o.m[k] - o.u * o.m[6 + k], r1 = o.m[3 + k] - o.v * o.m[6 + k];
        const float t0 = fx * r0, t1 = fy * r1;
        const float dt0 = 2.f * (s00 * t0 + s01 * t1), dt1 = 2.f * (s01 * t0 + s11 * t1);
        d_fx_z += dt0 * r0;
        d_fy_z += dt1 * r1;
        du -= dt0 * fx * o.m[6 + k];
        dv -= dt1 * fy * o.m[6 + k];
        dm[k] = dt0 * fx;
        dm[3 + k] = dt1 * fy;
        dm[6 + k] = -dt0 * fx * o.u - dt1 * fy * o.v;
    }
    const float u = o.p[0] * iz, v = o.p[1] * iz;
    const float gu = dx * cam.fx + (o.u_free ? du : 0.f), gv = dy * cam.fy + (o.v_free ? dv : 0.f);
    const float dp[3] = {gu * iz, gv * iz, -iz * (gu * u + gv * v + d_fx_z * fx + d_fy_z * fy)};
    for (int k = 0; k < 3; ++k) d_mean[k] += cam.r[k] * dp[0] + cam.r[3 + k] * dp[1] + cam.r[6 + k] * dp[2];

    float dq[9];  // by the orientation matrix
    for (int k = 0; k < 3; ++k) {
        float ds = 0.f;
        for (int i = 0; i < 3; ++i) {
            const float dn = cam.r[i] * dm[k] + cam.r[3 + i] * dm[3 + k] + cam.r[6 + i] * dm[6 + k];
            dq[3 * i + k] = dn * o.s[k];
            ds += dn * o.q[3 * i + k];
        }
        d_log_scale[k] = ds * o.s[k];
    }
    const float w = g.quat[0] * o.inverse_norm, x = g.quat[1] * o.inverse_norm;
    const float y = g.quat[2] * o.inverse_norm, z = g.quat[3] * o.inverse_norm;
    const float d[4] = {
        2.f * (x * (dq[7] - dq[5]) + y * (dq[2] - dq[6]) + z * (dq[3] - dq[1])),
        2.f * (w * (dq[7] - dq[5]) + y * (dq[1] + dq[3]) + z * (dq[2] + dq[6]) - 2.f * x * (dq[4] + dq[8])),
        2.f * (w * (dq[2] - dq[6]) + x * (dq[1] + dq[3]) + z * (dq[5] + dq[7]) - 2.f * y * (dq[0] + dq[8])),
        2.f * (w * (dq[3] - dq[1]) + x * (dq[2] + dq[6]) + y * (dq[5] + dq[7]) - 2.f * z * (dq[0] + dq[4])),
    };
    const float along = d[0] * w + d[1] * x + d[2] * y + d[3] * z;
    d_quat[0] = (d[0] - along * w) * o.inverse_norm;
    d_quat[1] = (d[1] - along * x) * o.inverse_norm;
    d_quat[2] = (d[2] - along * y) * o.inverse_norm;
    d_quat[3] = (d[3] - along * z) * o.inverse_norm;
}

// Real spherical harmonics at a unit direction, in the order and sign of 3D Gaussian splatting.
template <int kDegree>
SPLAT_HD void harmonics(float x, float y, float z, float* f) {
    f[0] = 0.28209479177387814f;
    if (kDegree < 1) return;
    f[1] = -0.4886025119029199f * y;
    f[2] = 0.4886025119029199f * z;
    f[3] = -0.4886025119029199f * x;
    if (kDegree < 2) return;
    const float xx = x * x, yy = y * y, zz = z * z;
    f[4] = 1.0925484305920792f * x * y;
    f[5] = -1.0925484305920792f * y * z;
    f[6] = 0.31539156525252005f * (2.f * zz - xx - yy);
    f[7] = -1.0925484305920792f * x * z;
    f[8] = 0.5462742152960396f * (xx - yy);
    if (kDegree < 3) return;
    f[9] = -0.5900435899266435f * y * (3.f * xx - yy);
    f[10] = 2.890611442640554f * x * y * z;
    f[11] = -0.4570457994644658f * y * (4.f * zz - xx - yy);
    f[12] = 0.3731763325901154f * z * (2.f * zz - 3.f * xx - 3.f * yy);
    f[13] = -0.4570457994644658f * x * (4.f * zz - xx - yy);
    f[14] = 1.445305721320277f * z * (xx - yy);
    f[15] = -0.5900435899266435f * x * (xx - 3.f * yy);
}

// Gradient by the direction of sum_k w[k] f[k], the polynomials taken as functions of free x, y, z.
template <int kDegree>
SPLAT_HD void harmonics_gradient(float x, float y, float z, const float* w, float* d) {
    d[0] = d[1] = d[2] = 0.f;
    if (kDegree < 1) return;
    d[1] -= 0.4886025119029199f * w[1];
    d[2] += 0.4886025119029199f * w[2];
    d[0] -= 0.4886025119029199f * w[3];
    if (kDegree < 2) return;
    const float w4 = 1.0925484305920792f * w[4], w5 = -1.0925484305920792f * w[5];
    const float w6 = 0.31539156525252005f * w[6], w7 = -1.0925484305920792f * w[7], w8 = 0.5462742152960396f * w[8];
    d[0] += w4 * y - 2.f * w6 * x + w7 * z + 2.f * w8 * x;
    d[1] += w4 * x + w5 * z - 2.f * w6 * y - 2.f * w8 * y;
    d[2] += w5 * y + 4.f * w6 * z + w7 * x;
    if (kDegree < 3) return;
    const float xx = x * x, yy = y * y, zz = z * z;
    const float w9 = -0.5900435899266435f * w[9], w10 = 2.890611442640554f * w[10];
    const float w11 = -0.4570457994644658f * w[11], w12 = 0.3731763325901154f * w[12];
    const float w13 = -0.4570457994644658f * w[13], w14 = 1.445305721320277f * w[14];
    const float w15 = -0.5900435899266435f * w[15];
    d[0] += 6.f * w9 * x * y + w10 * y * z - 2.f * w11 * x * y - 6.f * w12 * x * z +
            w13 * (4.f * zz - 3.f * xx - yy) + 2.f * w14 * x * z + 3.f * w15 * (xx - yy);
    d[1] += 3.f * w9 * (xx - yy) + w10 * x * z + w11 * (4.f * zz - xx - 3.f * yy) - 6.f * w12 * y * z -
            2.f * w13 * x * y - 2.f * w14 * y * z - 6.f * w15 * x * y;
    d[2] += w10 * x * y + 8.f * w11 * y * z + w12 * (6.f * zz - 3.f * xx - 3.f * yy) + 8.f * w13 * x * z +
            w14 * (xx - yy);
}

}  // namespace splat
