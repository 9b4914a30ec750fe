#!/usr/bin/env python3
"""Small checkpoints as AudioCraft's solvers and exporters save them.

    python make.py OUT_DIR

Needs torch and omegaconf 2.3.  The exporters below do what those of AudioCraft
do, step by step, so that what ferry makes can be held against theirs; the
files NAME.expected-* are theirs.
"""
import collections
import os
import sys

import torch
from omegaconf import OmegaConf

VERSION = '1.4.0a2'
D, K, C, N, H = 8, 4, 6, 1, 2

LM = f"""
solver: musicgen
sample_rate: 32000
channels: 1
device: cuda
dtype: float32
autocast: true
autocast_dtype: bfloat16
continue_from: null
lm_model: transformer_lm
transformer_lm:
  dim: {D}
  num_heads: 2
  num_layers: {N}
  hidden_scale: {H}
  n_q: {K}
  card: {C}
  layer_drop: 0.0
  spectral_norm_attn_iters: 0
  spectral_norm_ff_iters: 0
  residual_balancer_attn: 0.0
  residual_balancer_ff: 0.0
interleave_stereo_codebooks:
  use: false
  per_timestep: false
compression_model_checkpoint: //pretrained/facebook/encodec_32khz
dataset:
  segment_duration: 30
  sample_rate: ${{sample_rate}}
optim:
  lr: 1.0e-4
  updates_per_epoch: 2000
  adam:
    betas: [0.9, 0.95]
    eps: 1.0e-08
schedule:
  lr_scheduler: cosine
  cosine: {{warmup: 500, updates: '${{optim.updates_per_epoch}}'}}
dora:
  dir: /checkpoint/${{oc.env:USER}}/experiments
  exclude: ['device', 'wandb.*', '']
missing: ???
"""

COMPRESSION = """
solver: compression
sample_rate: 16000
channels: 1
compression_model: encodec
encodec: {autoencoder: seanet, quantizer: rvq, sample_rate: '${sample_rate}'}
seanet:
  dimension: 8
  channels: ${channels}
  causal: false
  n_filters: 4
  n_residual_layers: 1
  ratios: [4, 2]
  activation: ELU
  activation_params: {alpha: 1.0}
  norm: weight_norm
  norm_params: {}
  kernel_size: 7
  residual_kernel_size: 3
  last_kernel_size: 7
  dilation_base: 2
  pad_mode: constant
  true_skip: true
  compress: 2
  lstm: 1
  disable_norm_outer_blocks: 0
  decoder: {trim_right_ratio: 1.0, final_activation: null}
  encoder: {}
rvq: {n_q: 2, bins: 16}
losses: {adv: 4.0, feat: 4.0}
"""


def config(text, cached=True):
    cfg = OmegaConf.create(text)
    OmegaConf.set_struct(cfg, True)
    if cached:
        cfg._metadata.resolver_cache['now'][('%Y-%m-%d',)] = '2026-01-02'
    return cfg


def lm_state(seed=0, stereo=False):
    g = torch.Generator().manual_seed(seed)

    def t(*shape):
        return torch.randn(*shape, generator=g)

    out = collections.OrderedDict()
    pre = 'condition_provider.conditioners.description.'
    out[pre + 'output_proj.weight'] = t(D, 12)
    out[pre + 'output_proj.bias'] = t(D)
    for k in range(2 * K if stereo else K):
        out[f'emb.{k}.weight'] = t(C + 1, D)
    for i in range(N):
        layer = f'transformer.layers.{i}.'
        out[layer + 'self_attn.in_proj_weight'] = t(3 * D, D)
        out[layer + 'self_attn.out_proj.weight'] = t(D, D)
        out[layer + 'linear1.weight'] = t(H * D, D)
        out[layer + 'linear2.weight'] = t(D, H * D)
        for n in ('norm1', 'norm2', 'norm_cross'):
            out[layer + n + '.weight'] = t(D)
            out[layer + n + '.bias'] = t(D)
        out[layer + 'cross_attention.in_proj_weight'] = t(3 * D, D)
        out[layer + 'cross_attention.out_proj.weight'] = t(D, D)
    out['out_norm.weight'] = t(D)
    out['out_norm.bias'] = t(D)
    for k in range(2 * K if stereo else K):
        out[f'linears.{k}.weight'] = t(C, D)
    return out


def conv(name, out, inner, width):
    """A convolution with weight_norm; transposed ones have inner first."""
    transposed = name.endswith('convtr')
    yield f'{name}.bias', (inner if transposed else out,)
    yield f'{name}.weight_g', (out, 1, 1)
    yield f'{name}.weight_v', (out, inner, width)


def lstm(name, width):
    for part in 'ih', 'hh':
        yield f'{name}.lstm.weight_{part}_l0', (4 * width, width)
    for part in 'ih', 'hh':
        yield f'{name}.lstm.bias_{part}_l0', (4 * width,)


def residual(name, width):
    yield from conv(name + '.block.1.conv.conv', width // 2, width, 3)
    yield from conv(name + '.block.3.conv.conv', width, width // 2, 1)


def compression_shapes():
    """Of the modules that AudioCraft builds of COMPRESSION."""
    name = 'encoder.model.{}.conv.conv'.format
    yield from conv(name(0), 4, 1, 7)
    yield from residual('encoder.model.1', 4)
    yield from conv(name(3), 8, 4, 4)
    yield from residual('encoder.model.4', 8)
    yield from conv(name(6), 16, 8, 8)
    yield from lstm('encoder.model.7', 16)
    yield from conv(name(9), 8, 16, 7)
    yield from conv('decoder.model.0.conv.conv', 16, 8, 7)
    yield from lstm('decoder.model.1', 16)
    yield from conv('decoder.model.3.convtr.convtr', 16, 8, 8)
    yield from residual('decoder.model.4', 8)
    yield from conv('decoder.model.6.convtr.convtr', 8, 4, 4)
    yield from residual('decoder.model.7', 4)
    yield from conv('decoder.model.9.conv.conv', 1, 4, 7)
    for q in range(2):
        name = f'quantizer.vq.layers.{q}._codebook.'
        yield name + 'inited', (1,)
        yield name + 'cluster_size', (16,)
        yield name + 'embed', (16, 8)
        yield name + 'embed_avg', (16, 8)


def compression_state(seed=1):
    g = torch.Generator().manual_seed(seed)
    return collections.OrderedDict(
        (name, torch.ones(1) if name.endswith('inited') else
         torch.randn(*shape, generator=g))
        for name, shape in compression_shapes())


def with_metadata(state):
    out = collections.OrderedDict(state)
    out._metadata = collections.OrderedDict(
        [('', {'version': 1}), ('out_norm', {'version': 2})])
    return out


def ema_of(state, count):
    inner = collections.defaultdict(dict)
    inner['model'] = {k: v * 0.5 for k, v in state.items()}
    return {'state': inner, 'count': count}


def optimizer_of(state):
    names = list(state)[:2]
    return {'state': {i: {'step': torch.tensor(3.),
                          'exp_avg': torch.zeros_like(state[n])}
                      for i, n in enumerate(names)},
            'param_groups': [{'lr': 1e-4, 'betas': (0.9, 0.95),
                              'params': list(range(len(names)))}]}


def training(cfg, state, **more):
    best = {k: v.to(torch.bfloat16) for k, v in state.items()}
    pkg = {
        'history': [{'train': {'ce': 4.5, 'ppl': 90.0, 'duration': 12.5},
                     'valid': {'ce': 4.25, 'ppl': 70.1}},
                    {'train': {'ce': 3.5, 'ppl': 33.1, 'duration': 12.25},
                     'valid': {'ce': 3.25, 'ppl': 25.8}}],
        'xp.cfg': cfg,
        'xp.sig': '0a1b2c3d',
        'best_state': {'model': best},
        'fsdp_best_state': {},
        'model': with_metadata(state),
        'optimizer': optimizer_of(state),
    }
    pkg.update(more)
    return pkg


def lm_training(cfg=None, **more):
    state = lm_state()
    pkg = training(cfg or config(LM), state, lr_scheduler={'last_epoch': 3},
                   scaler=None, ema=ema_of(state, 2.99))
    pkg.update(more)
    return pkg


def export_lm(pkg):
    if pkg['fsdp_best_state']:
        best_state = pkg['fsdp_best_state']['model']
    else:
        assert pkg['best_state']
        best_state = pkg['best_state']['model']
    return {'best_state': best_state,
            'xp.cfg': OmegaConf.to_yaml(pkg['xp.cfg']),
            'version': VERSION, 'exported': True}


def export_encodec(pkg):
    return {'best_state': pkg['best_state']['model'],
            'xp.cfg': OmegaConf.to_yaml(pkg['xp.cfg']),
            'version': VERSION, 'exported': True}


def legacy_export_lm(pkg):
    cfg = OmegaConf.create(pkg['xp.cfg'])
    OmegaConf.set_struct(cfg, False)
    cfg['transformer_lm']['card'] = 2048
    n_q = 4
    stereo = getattr(cfg, 'interleave_stereo_codebooks', None)
    if stereo is not None and stereo.use:
        if 'downsample' in stereo:
            del stereo['downsample']
        n_q = 8
    cfg['transformer_lm']['n_q'] = n_q
    for name in ['spectral_norm_attn_iters', 'spectral_norm_ff_iters',
                 'residual_balancer_attn', 'residual_balancer_ff',
                 'layer_drop']:
        del cfg['transformer_lm'][name]
    return dict(export_lm(pkg), **{'xp.cfg': OmegaConf.to_yaml(cfg)})


def hf_encodec():
    """The compression model under Hugging Face's names."""
    out = {}
    for name, value in compression_state(5).items():
        for new, old in [('.conv', '.conv.conv'), ('.conv', '.convtr.convtr'),
                         ('coder.layers', 'coder.model'),
                         ('quantizer.layers', 'quantizer.vq.layers'),
                         ('.codebook', '._codebook')]:
            name = name.replace(old, new)
        out[name] = value
    return out


def seals():
    """A generator and a detector of watermarks of 4 bits."""
    state = compression_state(6)
    generator = {k: v for k, v in state.items()
                 if not k.startswith('quantizer.')}
    generator['msg_processor.msg_processor.weight'] = torch.ones(2 * 4, 8)
    detector = {'detector.0.' + k[len('encoder.'):]: v
                for k, v in state.items() if k.startswith('encoder.')}
    detector['detector.0.reverse_convolution.weight'] = torch.ones(8, 6, 8)
    detector['detector.0.reverse_convolution.bias'] = torch.ones(6)
    detector['detector.1.weight'] = torch.ones(2 + 4, 6, 1)
    detector['detector.1.bias'] = torch.ones(2 + 4)
    return generator, detector


def files():
    """Name and content of each file."""
    lm = lm_training()
    state = compression_state()
    codec = training(config(COMPRESSION), state, ema=ema_of(state, 0),
                     adv_losses={'msstftd': {'w': torch.ones(2)}})
    yield 'musicgen/checkpoint.th', lm
    yield 'compression/checkpoint.th', codec
    fsdp = lm_training(model=dict(lm_state()), best_state={},
                       fsdp_best_state={'model': dict(lm_state(7))}, ema=None,
                       scaler={'scale': 65536.0, 'growth_factor': 2.0,
                               'backoff_factor': 0.5, 'growth_interval': 2000,
                               '_growth_tracker': 0})
    yield 'fsdp/checkpoint_2.th', fsdp
    yield 'fsdp/checkpoint_2.th.1', dict(
        fsdp, fsdp_best_state={'model': {}}, model={})
    old = lm_training(ema=None)
    pre = 'condition_provider.'
    old['condition_provider'] = {
        k[len(pre):]: v for k, v in old['model'].items() if k.startswith(pre)}
    for k in list(old['model']):
        if k.startswith(pre):
            del old['model'][k]
    old['compression_model'] = {'w': torch.ones(1)}
    yield 'old/checkpoint_best.th', old
    yield 'exports/state_dict.bin', export_lm(lm)
    yield 'exports/compression_state_dict.bin', export_encodec(codec)
    yield 'exports/0a1b2c3d.th', {
        k: v for k, v in export_lm(fsdp).items() if k in ('best_state',
                                                          'xp.cfg')}
    yield 'exports/legacy.bin', legacy_export_lm(lm)
    yield 'exports/reference.bin', {
        'pretrained': 'facebook/encodec_32khz', 'exported': True,
        'version': VERSION}
    yield 'hf/encodec.pt', hf_encodec()
    for name, model in zip(('generator', 'detector'), seals()):
        yield f'seal/{name}_base.pth', {'model': model}
    yield 'packs/mbd.th', {
        'sample_rate': 24000, 'n_bands': 2,
        **{i: {'cfg': OmegaConf.create({'solver': 'diffusion', 'band': i}),
               'model_state': {'w': torch.full((2, 3), float(i))},
               'processor_state': {'mean': torch.zeros(1)}}
           for i in range(2)}}


def broken():
    """What checks and conversions refuse."""
    lm = lm_training(model={}, ema=None, optimizer={})
    few = lm_training(ema=None, optimizer={})
    few['best_state'] = {'model': dict(few['best_state']['model'])}
    del few['best_state']['model']['linears.3.weight']
    few['best_state']['model']['emb.0.weight'] = torch.zeros(3, 3)
    few['best_state']['model']['extra'] = torch.zeros(1)
    yield 'broken/shapes.th', few
    yield 'broken/text.th', dict(lm, **{'xp.cfg': 'solver: musicgen\n'})
    codec = export_encodec(training(config(COMPRESSION), compression_state()))
    codec['best_state'] = dict(codec['best_state'])
    del codec['best_state']['encoder.model.7.lstm.bias_hh_l0']
    codec['best_state']['decoder.model.3.convtr.convtr.weight_g'] = \
        torch.zeros(8, 1, 1)
    codec['best_state']['quantizer.vq.layers.2._codebook.inited'] = \
        torch.ones(1)
    yield 'broken/codec.bin', codec
    exported = export_lm(lm)
    exported['xp.cfg'] = 'a: [1\n'
    yield 'broken/config.bin', exported
    yield 'broken/nothing.th', {'xp.sig': '0a1b2c3d', 'xp.cfg': config(LM),
                                'history': []}


def main(out):
    for name, content in list(files()) + list(broken()):
        path = os.path.join(out, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if path.endswith('.bin'):
            torch.save(content, path)
        else:
            with open(path, 'wb') as f:
                torch.save(content, f)


if __name__ == '__main__':
    main(sys.argv[1])
