"""tflite_audio.py: models of the custom operators of speech commands for make_models.py."""

import numpy as np

from tflite_writer import Model

SPECTROGRAM = {"window_size": 4, "stride": 2, "magnitude_squared": True}
MFCC = {"upper_frequency_limit": 4, "lower_frequency_limit": 0, "filterbank_channel_count": 2, "dct_coefficient_count": 2}


def audio(samples=9, spectrogram=SPECTROGRAM, mfcc=MFCC, rate=8):
    m = Model()
    x = m.input("samples", "float32", [samples, 1])
    frames = 1 + (samples - 4) // 2
    power, y = m.tensor("power", "float32", [1, frames, 3]), m.tensor("y", "float32", [1, frames, 2])
    m.op("AudioSpectrogram", [x], [power], custom=spectrogram)
    m.op("Mfcc", [power, m.const("rate", np.array([rate], np.int32))], [y], custom=mfcc)
    m.output(y)
    return m


IMPORTED = {"audio": audio}
REFUSED = {
    "audio_short": lambda: audio(samples=3),
    "audio_option": lambda: audio(spectrogram={"window_size": 4, "magnitude_squared": True}),
    "audio_window": lambda: audio(spectrogram={**SPECTROGRAM, "window_size": 1}),
    "audio_bands": lambda: audio(mfcc={**MFCC, "lower_frequency_limit": 4}),
    "audio_rate": lambda: audio(rate=7),
    "audio_coefficients": lambda: audio(mfcc={**MFCC, "dct_coefficient_count": 3}),
}
