"""The tea service and the candlestick, turned and swept from profiles; metres."""

from __future__ import annotations

import numpy as np

from samples.render.paint import tableware as paint
from samples.render.things.meshes import joined, lathe, profile, smooth_path, tube
from samples.render.things.parts import Finish, Part, glazed, plain


def teapot(rng: np.random.Generator, at: tuple[float, float, float]) -> list[Part]:
    body = profile(
        (0.036, 0.043, 0.064, 0.078, 0.069, 0.049, 0.047, 0.045),
        (0.118, 0.116, 0.099, 0.063, 0.027, 0.010, 0.003, 0.0),
        count=90,
    )
    lid = profile(
        (0.0002, 0.009, 0.0125, 0.0075, 0.007, 0.018, 0.034, 0.0385, 0.0375),
        (0.157, 0.155, 0.148, 0.141, 0.137, 0.133, 0.124, 0.1195, 0.1165),
        count=60,
    )
    spout_path = smooth_path([(0.055, 0, 0.040), (0.088, 0, 0.050), (0.111, 0, 0.082), (0.139, 0, 0.117)], 60)
    spout = tube(spout_path, np.linspace(0.025, 0.0095, 60) + 0.002 * np.linspace(0, 1, 60) ** 8)
    tip = spout_path[-1] - spout_path[-2]
    tip = tip / np.linalg.norm(tip)
    mouth = tube(np.stack([spout_path[-1] + 0.0002 * tip, spout_path[-1] - 0.004 * tip]), np.array([0.0105, 0.0001]))
    handle_path = smooth_path(
        [(-0.062, 0, 0.100), (-0.104, 0, 0.115), (-0.128, 0, 0.085), (-0.113, 0, 0.046), (-0.066, 0, 0.030)], 70
    )
    handle = tube(handle_path, np.full(70, 0.0078), flatten=1.25)
    ware = paint.small_ware(rng, flowers=6)
    strip = paint.striped_ware(rng)
    put = [
        ("teapot_body", lathe(body), paint.teapot_body(rng)),
        ("teapot_lid", lathe(lid), ware),
        ("teapot_spout", spout, strip),
        ("teapot_handle", handle, strip),
        ("teapot_mouth", mouth, plain(0.06)),
    ]
    return [glazed(name, mesh, texture, 0.16).turned(202).moved(at) for name, mesh, texture in put]


def cup_and_saucer(rng: np.random.Generator, at: tuple[float, float, float]) -> list[Part]:
    outside = smooth_path(
        [(0.0425, 0.062), (0.0415, 0.058), (0.038, 0.036), (0.028, 0.016), (0.020, 0.010), (0.021, 0.0065)], 60
    )
    inside = smooth_path(
        [(0.0001, 0.013), (0.02, 0.0145), (0.035, 0.036), (0.0395, 0.058), (0.0412, 0.0626), (0.0425, 0.062)], 60
    )
    dish = profile(
        (0.0001, 0.024, 0.030, 0.052, 0.071, 0.0725, 0.055, 0.034, 0.033),
        (0.0055, 0.0055, 0.007, 0.0125, 0.0195, 0.0185, 0.0085, 0.0015, 0.0),
        count=100,
    )
    grip = smooth_path(
        [(0.0385, 0, 0.050), (0.058, 0, 0.054), (0.064, 0, 0.038), (0.050, 0, 0.022), (0.031, 0, 0.020)], 50
    )
    surface = np.stack([np.linspace(0.0001, 0.0378, 24), np.full(24, 0.048)], -1)
    unpainted = paint.glazed(256, 512, rng)
    cup = paint.small_ware(rng)
    put = [
        ("cup", lathe(outside, sides=96), cup, 0.16),
        ("cup_inside", lathe(inside, sides=96), unpainted, 0.16),
        ("cup_handle", tube(grip, np.full(50, 0.0042)), paint.striped_ware(rng, bands=8), 0.16),
        ("saucer", lathe(dish), paint.small_ware(rng, height=900, width=1400, flowers=9), 0.16),
        ("tea", lathe(surface, sides=64).textured_from_above(0.0378), paint.tea(rng), 0.2),
    ]
    return [glazed(*one).turned(-35).moved(at) for one in put]


def candlestick(rng: np.random.Generator) -> list[Part]:
    outline = profile(
        (
            *(0.0135, 0.021, 0.022, 0.0145, 0.0145, 0.019, 0.019, 0.009, 0.0075, 0.0165),
            *(0.0185, 0.0075, 0.0085, 0.018, 0.018, 0.013, 0.026, 0.048, 0.057, 0.057),
        ),
        (
            *(0.176, 0.175, 0.171, 0.166, 0.150, 0.146, 0.141, 0.134, 0.118, 0.104),
            *(0.096, 0.082, 0.058, 0.048, 0.042, 0.034, 0.024, 0.014, 0.008, 0.0),
        ),
        count=240,
    )
    stick = lathe(outline, sides=96)
    melt = smooth_path(
        [(0.0001, 0.258), (0.008, 0.259), (0.0105, 0.263), (0.0125, 0.258), (0.0125, 0.21), (0.013, 0.172)], 80
    )
    candle = lathe(
        melt,
        sides=64,
        displace=lambda angle, v: 1 + 0.035 * np.sin(3 * angle + 1) * np.sin(9 * v) + 0.02 * np.sin(7 * angle),
    )
    drips = []
    for angle, length in ((0.4, 0.05), (1.9, 0.028), (2.6, 0.062), (4.2, 0.035), (5.3, 0.055)):
        direction = np.array([np.cos(angle), np.sin(angle), 0])
        path = np.array([0, 0, 0.2605]) + 0.0122 * direction + np.linspace(0, 1, 24)[:, None] * [0, 0, -length]
        drips.append(
            tube(path, 0.0021 + 0.0014 * np.linspace(0, 1, 24) ** 3 - 0.0033 * np.linspace(0, 1, 24) ** 30, sides=16)
        )
    wick = tube(smooth_path([(0, 0, 0.256), (0.0005, 0, 0.266), (0.003, 0, 0.272)], 12), np.full(12, 0.0011), sides=10)
    brass = paint.brass(rng)
    put = [
        Part(name="candlestick", mesh=stick, texture=brass, finish=Finish.METAL, roughness=0.36, bump=0.0006),
        glazed("candle", joined(candle, *drips), paint.wax(rng), 0.4),
        Part(name="wick", mesh=wick, texture=plain(0.05)),
    ]
    return [part.moved((0.085, 0.205, 0.0)) for part in put]
