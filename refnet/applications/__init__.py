"""Well-known convnets, with the names, layers and parameter counts of `keras.applications`, and weights trained on ImageNet.

Each family has a module of its own, with `preprocess_input` and `decode_predictions`. Where the weights are found:
`refnet.applications.files`.
"""

from refnet.applications import (
    convnext,
    densenet,
    efficientnet,
    efficientnet_v2,
    imagenet_utils,
    inception_resnet_v2,
    inception_v3,
    mobilenet,
    mobilenet_v2,
    mobilenet_v3,
    nasnet,
    resnet,
    resnet50,
    resnet_v2,
    vgg16,
    vgg19,
    xception,
)
from refnet.applications.convnext import (
    ConvNeXtBase,
    ConvNeXtLarge,
    ConvNeXtSmall,
    ConvNeXtTiny,
    ConvNeXtXLarge,
    LayerScale,
)
from refnet.applications.densenet import DenseNet121, DenseNet169, DenseNet201
from refnet.applications.efficientnet import (
    EfficientNetB0,
    EfficientNetB1,
    EfficientNetB2,
    EfficientNetB3,
    EfficientNetB4,
    EfficientNetB5,
    EfficientNetB6,
    EfficientNetB7,
)
from refnet.applications.efficientnet_v2 import (
    EfficientNetV2B0,
    EfficientNetV2B1,
    EfficientNetV2B2,
    EfficientNetV2B3,
    EfficientNetV2L,
    EfficientNetV2M,
    EfficientNetV2S,
)
from refnet.applications.inception_resnet_v2 import CustomScaleLayer, InceptionResNetV2
from refnet.applications.inception_v3 import InceptionV3
from refnet.applications.mobilenet import MobileNet
from refnet.applications.mobilenet_v2 import MobileNetV2
from refnet.applications.mobilenet_v3 import MobileNetV3Large, MobileNetV3Small
from refnet.applications.nasnet import NASNetLarge, NASNetMobile
from refnet.applications.resnet import ResNet50, ResNet101, ResNet152
from refnet.applications.resnet_v2 import ResNet50V2, ResNet101V2, ResNet152V2
from refnet.applications.vgg16 import VGG16
from refnet.applications.vgg19 import VGG19
from refnet.applications.xception import Xception

known = {"CustomScaleLayer": CustomScaleLayer, "LayerScale": LayerScale}  # the nets' own layers, which files may name
