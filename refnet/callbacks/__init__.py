"""Callbacks: what happens between epochs and batches. `base.py` says what one is."""

from refnet.callbacks.averaging import SwapEMAWeights as SwapEMAWeights
from refnet.callbacks.base import Callback as Callback
from refnet.callbacks.base import History as History
from refnet.callbacks.base import LambdaCallback as LambdaCallback
from refnet.callbacks.base import LearningRateScheduler as LearningRateScheduler
from refnet.callbacks.base import Listening as Listening
from refnet.callbacks.base import checked as checked
from refnet.callbacks.files import BackupAndRestore as BackupAndRestore
from refnet.callbacks.files import CSVLogger as CSVLogger
from refnet.callbacks.files import ModelCheckpoint as ModelCheckpoint
from refnet.callbacks.listing import CallbackList as CallbackList
from refnet.callbacks.telling import ProgbarLogger as ProgbarLogger
from refnet.callbacks.telling import RemoteMonitor as RemoteMonitor
from refnet.callbacks.tensorboard import TensorBoard as TensorBoard
from refnet.callbacks.watching import EarlyStopping as EarlyStopping
from refnet.callbacks.watching import ReduceLROnPlateau as ReduceLROnPlateau
from refnet.callbacks.watching import TerminateOnNaN as TerminateOnNaN
from refnet.old_names import serve

serve(__name__)
