#!/usr/bin/env python3
"""AudioCraft's checkpoints: what ferry makes against what AudioCraft's own
exporters, OmegaConf and torch make.

    audiocraft.py FERRY WORK_DIR [OMEGACONF_DIR...]

AUDIOCRAFT in the environment is a directory that holds audiocraft and einops:
its own modules are built.  Run with a torch; each directory holds a release of omegaconf and is tried in a
process of its own.  Without one, the omegaconf beside torch is used.
"""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CORPUS = os.path.join(HERE, '..', 'corpus', 'audiocraft')
failures = []


def check(what, ok, detail=''):
    if not ok:
        failures.append(what)
        print(f'FAIL: {what} {detail}')


def ferry(*args, fails=False):
    r = subprocess.run([FERRY, *args], capture_output=True, text=True)
    if (r.returncode != 0) != fails:
        check('ferry ' + ' '.join(args), False, r.stderr)
    return r.stdout + r.stderr


def convert(source, target, *args):
    target = os.path.join(WORK, target)
    ferry('convert', source, target, '--overwrite', *args)
    return load(target)


def load(path):
    try:
        return torch.load(path, 'cpu', weights_only=False)
    except TypeError:
        return torch.load(path, 'cpu')


def same(a, b):
    """Equal in kinds, order, dtypes and bits."""
    if isinstance(a, torch.Tensor):
        return (isinstance(b, torch.Tensor) and a.dtype == b.dtype and
                a.shape == b.shape and torch.equal(a, b))
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def anatomy(node):
    """All of a configuration that equality does not look at."""
    state = dict(node.__dict__)
    meta = {k: str(v) for k, v in state.pop('_metadata').__dict__.items()}
    content = state.get('_content')
    if isinstance(content, dict):
        content = [(k, anatomy(v)) for k, v in content.items()]
    elif isinstance(content, list):
        content = [anatomy(v) for v in content]
    return type(node).__name__, meta, content, repr(state.get('_val'))


def exports(make):
    source = os.path.join(CORPUS, 'musicgen/checkpoint.th')
    lm = load(source)
    made = convert(source, 'lm.bin', '--to', 'audiocraft/export-lm')
    check('export-lm', same(made, make.export_lm(lm)))
    # the first exporters knew one card, which the small model has not
    made = convert(source, 'legacy.bin', '--to', 'audiocraft/export-lm',
                   '--set', 'legacy=yes', '--allow-loss=shape')
    check('legacy export-lm', same(made, make.legacy_export_lm(lm)))
    source = os.path.join(CORPUS, 'compression/checkpoint.th')
    codec = load(source)
    made = convert(source, 'codec.bin', '--to',
                   'audiocraft/export-compression')
    check('export-compression', same(made, make.export_encodec(codec)))
    made = convert(source, 'codec-ema.bin', '--to',
                   'audiocraft/export-compression', '--set', 'legacy=yes')
    check('legacy export-compression',
          same(made, dict(make.export_encodec(codec),
                          best_state=codec['ema']['state']['model'])))
    source = os.path.join(CORPUS, 'fsdp/checkpoint_2.th')
    made = convert(source, 'fsdp.bin', '--to', 'audiocraft/export-lm',
                   '--set', 'version=1.3.0')
    check('export of FSDP', same(made, dict(make.export_lm(load(source)),
                                            version='1.3.0')))
    made = convert(os.path.join(CORPUS, 'exports/compression_state_dict.bin'),
                   'reference.bin', '--set',
                   'pretrained=facebook/encodec_32khz', '--allow-loss=empty')
    check('reference', same(made, load(os.path.join(
        CORPUS, 'exports/reference.bin'))))


def wraps():
    for kind in 'state_dict', 'compression_state_dict':
        source = os.path.join(CORPUS, f'exports/{kind}.bin')
        old = load(source)
        made = convert(source, kind + '.th', '--to', 'audiocraft/training')
        cfg = OmegaConf.create(old['xp.cfg'])
        check(f'{kind}: keys', list(made) == ['best_state', 'fsdp_best_state',
                                              'xp.cfg'])
        check(f'{kind}: weights', same(made['best_state'],
                                       {'model': old['best_state']}))
        check(f'{kind}: config', made['xp.cfg'] == cfg and
              anatomy(made['xp.cfg']) == anatomy(cfg))
        back = convert(os.path.join(WORK, kind + '.th'), kind + '.bin', '--to',
                       'audiocraft/export-lm' if kind == 'state_dict' else
                       'audiocraft/export-compression')
        check(f'{kind}: there and back', same(back, old))


def stereo():
    source = os.path.join(CORPUS, 'exports/state_dict.bin')
    old = load(source)['best_state']
    new = dict(old)
    for k in range(8):
        new[f'linears.{k}.weight'] = old[f'linears.{k // 2}.weight']
        new[f'emb.{k}.weight'] = old[f'emb.{k // 2}.weight']
    made = convert(source, 'stereo.th', '--to', 'audiocraft/training',
                   '--set', 'stereo=yes')
    check('stereo', same(made, {'best_state': {'model': new}}))


def names(make):
    transposed = {'decoder.layers.3.', 'decoder.layers.6.'}

    def rename(name):
        if any(name.startswith(p) for p in transposed):
            name = name.replace('.conv.', '.convtr.')
        for old, new in [('encoder.layers.', 'encoder.model.'),
                         ('decoder.layers.', 'decoder.model.'),
                         ('conv.', 'conv.conv.'),
                         ('convtr.', 'convtr.convtr.'),
                         ('quantizer.layers.', 'quantizer.vq.layers.'),
                         ('.codebook.', '._codebook.')]:
            name = name.replace(old, new)
        return name

    config = os.path.join(WORK, 'codec.yaml')
    with open(config, 'w', encoding='utf-8') as f:
        f.write(make.COMPRESSION)
    source = os.path.join(CORPUS, 'hf/encodec.pt')
    made = convert(source, 'hf.bin', '--to', 'audiocraft/export-compression',
                   '--with', 'config=' + config)
    check('names of Hugging Face', same(made, {
        'best_state': {rename(k): v for k, v in load(source).items()},
        'xp.cfg': OmegaConf.to_yaml(OmegaConf.create(make.COMPRESSION)),
        'version': make.VERSION, 'exported': True}))


def modules(directory):
    """AudioCraft's own autoencoder and quantizer, without all that the package
    brings in; None where they can't be had."""
    import types

    if not os.path.isdir(os.path.join(directory, 'audiocraft')):
        return None
    sys.path.insert(0, directory)
    for name in 'audiocraft', 'audiocraft.modules', 'audiocraft.quantization':
        package = types.ModuleType(name)
        package.__path__ = [os.path.join(directory, *name.split('.'))]
        sys.modules[name] = package
    flashy = sys.modules['flashy'] = types.ModuleType('flashy')
    flashy.distrib = None
    try:
        from audiocraft.modules.seanet import SEANetDecoder, SEANetEncoder
        from audiocraft.quantization.vq import ResidualVectorQuantizer
    except ImportError as why:
        print(f'AudioCraft is of no use here: {why}')
        return None

    def build(cfg):
        plain = OmegaConf.to_container(cfg, resolve=True)
        shared = {k: v for k, v in plain['seanet'].items()
                  if k not in ('encoder', 'decoder')}
        out = torch.nn.Module()
        out.encoder = SEANetEncoder(**shared,
                                    **plain['seanet'].get('encoder', {}))
        out.decoder = SEANetDecoder(**shared,
                                    **plain['seanet'].get('decoder', {}))
        out.quantizer = ResidualVectorQuantizer(
            dimension=out.encoder.dimension, **plain['rvq'])
        return out.state_dict()

    return build


CODECS = [
    '', 'norm=none', 'norm=spectral_norm', 'norm=time_group_norm', 'lstm=0',
    'true_skip=false', 'n_residual_layers=3', 'n_residual_layers=0',
    'ratios=[2]', 'ratios=[5, 4, 3, 2]', 'ratios=[2, 2, 2, 2, 2]',
    'compress=4', 'dimension=5', 'n_filters=6', 'kernel_size=5',
    'last_kernel_size=3', 'residual_kernel_size=5', 'channels=2',
    'disable_norm_outer_blocks=1', 'disable_norm_outer_blocks=3',
    'disable_norm_outer_blocks=4',
]


def codecs(make, directory):
    """Tensors of compression models, in the dimensions of configurations."""
    build = modules(directory)
    if not build:
        print('no AudioCraft: its compression models are not tested')
        return
    cfg = OmegaConf.create(make.COMPRESSION)
    state = make.compression_state()
    check('the corpus is a model of its configuration',
          [(k, v.shape) for k, v in build(cfg).items()] ==
          [(k, v.shape) for k, v in state.items()])
    tried = 0
    path = os.path.join(WORK, 'model.bin')
    for change in CODECS:
        cfg = OmegaConf.create(make.COMPRESSION)
        if change:
            cfg.merge_with_dotlist(['seanet.' + change])
        state = build(cfg)
        torch.save({'best_state': state, 'xp.cfg': OmegaConf.to_yaml(cfg),
                    'version': make.VERSION, 'exported': True}, path)
        told = ferry('verify', path)
        check(f'model of {change}', ': ok: ' in told, told)
        for wrong in 'dimension=7', 'lstm=3', 'ratios=[7, 2]':
            other = OmegaConf.create(make.COMPRESSION)
            other.merge_with_dotlist(['seanet.' + change, 'seanet.' + wrong]
                                     if change else ['seanet.' + wrong])
            torch.save({'best_state': state, 'xp.cfg':
                        OmegaConf.to_yaml(other), 'version': make.VERSION,
                        'exported': True}, path)
            told = ferry('verify', path, fails=True)
            check(f'model of {change} as {wrong}', 'violation' in told, told)
        tried += 1
    for name, more in [
            ('encodec', []),
            ('encodec-base-24khz', ['rvq.n_q=32']),
            ('encodec-audiogen-16khz', ['seanet.n_filters=64', 'rvq.n_q=4',
                                        'rvq.bins=2048']),
            ('encodec-musicgen-32khz', ['seanet.n_filters=64', 'rvq.n_q=4',
                                        'rvq.bins=2048',
                                        'seanet.ratios=[8, 5, 4, 4]'])]:
        cfg.merge_with_dotlist([
            'seanet.dimension=128', 'seanet.n_filters=32', 'seanet.lstm=2',
            'seanet.ratios=[8, 5, 4, 2]', 'rvq.n_q=8', 'rvq.bins=1024',
            'seanet.disable_norm_outer_blocks=0'] + more)
        torch.save(build(cfg), path)
        told = ferry('verify', path, '--order', '--expect',
                     'audiocraft/' + name)
        check(name, ': ok: ' in told, told)
        tried += 1
    print(f'{tried} compression models of AudioCraft fit their schemas')


EDITS = ['optim.lr=1e-5', 'optim.adam.betas=[0.5, 0.75]', 'dtype=float16',
         'optim.adam={eps: 1}', 'missing=', 'sample_rate=0x10',
         'dora.exclude[1]=${dtype}', 'device=a: b', 'autocast=no',
         'schedule.cosine.warmup="7"']


def edits(make):
    source = os.path.join(CORPUS, 'musicgen/checkpoint.th')
    cfg = load(source)['xp.cfg']
    OmegaConf.set_struct(cfg, True)
    for edit in EDITS:
        cfg.merge_with_dotlist([edit])
    OmegaConf.set_struct(cfg, False)
    del cfg['continue_from']
    del cfg.dora.exclude[0]
    OmegaConf.set_struct(cfg, True)
    args = [a for e in EDITS for a in ('--set', 'set-config=' + e)]
    args += ['--set', 'delete-config=continue_from',
             '--set', 'delete-config=dora.exclude[0]']
    made = convert(source, 'edited.th', *args)
    check('edits of a DictConfig', anatomy(made['xp.cfg']) == anatomy(cfg))
    source = os.path.join(CORPUS, 'exports/state_dict.bin')
    made = convert(source, 'edited.bin', *args)
    check('edits of text', made['xp.cfg'] == OmegaConf.to_yaml(cfg))
    made = convert(os.path.join(CORPUS, 'musicgen/checkpoint.th'),
                   'edited2.bin', '--to', 'audiocraft/export-lm', *args)
    check('edits on the way', made['xp.cfg'] == OmegaConf.to_yaml(cfg))


def fine_tuning():
    source = os.path.join(CORPUS, 'musicgen/checkpoint.th')
    gone = 'condition_provider.conditioners.description.'
    made = convert(source, 'tune.th', '--drop',
                   gone.replace('.', r'\.') + '.*')
    old = load(source)
    check('fine-tuning', list(made['best_state']['model']) ==
          [k for k in old['best_state']['model'] if not k.startswith(gone)])
    check('fine-tuning: the rest', same(
        {k: v for k, v in made.items() if k not in ('best_state', 'xp.cfg')},
        {k: v for k, v in old.items() if k not in ('best_state', 'xp.cfg')}))


def pickles():
    """The configurations ferry makes, as pickles of their own."""
    source = os.path.join(CORPUS, 'exports/state_dict.bin')
    out = []
    for layout in '2.0', '2.1', '2.2':
        wrapped = f'layout-{layout}.th'
        convert(source, wrapped, '--to', 'audiocraft/training', '--set',
                'omegaconf=' + layout, '--set', 'struct=yes')
        target = os.path.join(WORK, f'layout-{layout}.pkl')
        ferry('convert', os.path.join(WORK, wrapped), target, '--select',
              'xp.cfg', '--set', 'protocol=2', '--allow-loss=empty',
              '--overwrite')
        out.append(target)
    expected = OmegaConf.create(load(source)['xp.cfg'])
    return out, {'plain': OmegaConf.to_container(expected),
                 'yaml': OmegaConf.to_yaml(expected)}


CHILD = r'''
import json, pickle, sys
import omegaconf
from omegaconf import OmegaConf
out = {'release': omegaconf.__version__, 'all': []}
# 2.0 takes no types of keys that later releases write
paths = sys.argv[1:2 if omegaconf.__version__ < '2.1' else None]
for path in paths:
    with open(path, 'rb') as f:
        cfg = pickle.load(f)
    cfg.optim.lr = 0.5
    lr, cfg.optim.lr = cfg.optim.lr, 1.0e-4
    again = pickle.loads(pickle.dumps(cfg))
    out['all'].append({
        'plain': OmegaConf.to_container(cfg),
        'yaml': OmegaConf.to_yaml(cfg),
        'same': cfg == again == OmegaConf.create(OmegaConf.to_yaml(cfg)),
        'struct': OmegaConf.is_struct(cfg), 'lr': lr,
        'resolved': cfg.dataset.sample_rate,
        'missing': OmegaConf.is_missing(cfg, 'missing')})
print(json.dumps(out))
'''


def releases(directories):
    paths, expected = pickles()
    for directory in directories or [None]:
        env = dict(os.environ)
        if directory:
            env['PYTHONPATH'] = directory
        r = subprocess.run([sys.executable, '-c', CHILD, *paths], env=env,
                           capture_output=True, text=True)
        check(f'{directory}: loads', r.returncode == 0, r.stderr[-800:])
        if r.returncode:
            continue
        told = json.loads(r.stdout)
        for path, one in zip(paths, told['all']):
            what = f'{os.path.basename(path)} in {told["release"]}'
            for key, value in dict(expected, same=True, struct=True, lr=0.5,
                                   resolved=32000, missing=True).items():
                check(f'{what}: {key}', one[key] == value)
        print(f'omegaconf {told["release"]}: {len(told["all"])} layouts load')


def main(directories):
    os.makedirs(WORK, exist_ok=True)
    sys.path.insert(0, CORPUS)
    import make
    exports(make)
    wraps()
    stereo()
    names(make)
    edits(make)
    fine_tuning()
    codecs(make, os.environ.get('AUDIOCRAFT', ''))
    releases(directories)
    print(f'torch {torch.__version__}, {len(failures)} failures')
    return 1 if failures else 0


if __name__ == '__main__':
    FERRY, WORK = sys.argv[1:3]
    if len(sys.argv) > 3:
        sys.path.insert(0, sys.argv[3])
    try:
        import torch
        from omegaconf import OmegaConf
    except ImportError as why:
        print(f'SKIPPED: {why}')
        sys.exit(77)
    sys.exit(main(sys.argv[3:]))
