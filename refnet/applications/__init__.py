"""Well-known convnets, with the names, layers and parameter counts of `keras.applications`, and weights trained on ImageNet.

Each has a module of its own, with `preprocess_input` and `decode_predictions`. Where the weights are found: `refnet.applications.files`.
"""

from refnet.applications import imagenet_utils, inception_v3, mobilenet, resnet, resnet50, vgg16, vgg19, xception
from refnet.applications.inception_v3 import InceptionV3
from refnet.applications.mobilenet import MobileNet
from refnet.applications.resnet import ResNet50
from refnet.applications.vgg16 import VGG16
from refnet.applications.vgg19 import VGG19
from refnet.applications.xception import Xception
from refnet.old_names import serve

serve(__name__)
