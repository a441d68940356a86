"""What the two study notes claim, one sentence a claim: the list of hypotheses that the lessons test.

The ids are used everywhere (lessons, verdict tables, tests). The statements are ours; they say what a note claims,
right or wrong.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """One testable sentence: its ``id``, the number of the ``note`` that makes it, and the ``lessons`` that test it."""

    id: str
    note: int
    lessons: tuple[str, ...]
    statement: str


FIRST_NOTE = (
    ("S1", "pixels", "Segmentation trades meaning for detail: lose detail and edges blur, lose meaning and regions "
                     "get the wrong name."),
    ("S2", "pixels", "The layers of a CNN form a pyramid from local to global features that holds both detail and "
                     "meaning."),
    ("F1", "fcn", "A fully connected layer is a special convolution, so a classifier can be turned into a segmenter."),
    ("F2", "fcn", "Of the trunks AlexNet, GoogLeNet and VGG, VGG is the most accurate and the slowest."),
    ("F3", "fcn", "Of four ways to upsample (bilinear, transposed convolution, unpooling, shift-and-stitch) FCN "
                  "takes the transposed convolution, started as bilinear."),
    ("F4", "fcn", "Fusing finer layers step by step gives FCN-32s, FCN-16s and FCN-8s, and FCN-8s is the best."),
    ("U1", "unet", "U-Net goes down by four max-pools and up by four transposed convolutions, and was made for cell "
                   "images."),
    ("U2", "unet", "The heart of U-Net is the concatenation of features, which gives back what the sampling lost."),
    ("U3", "unet", "U-Net learns fast and well from few samples and carries over to many tasks."),
    ("N1", "segnet", "SegNet is VGG16 without its fully connected layers, mirrored: 13 convolutions down and 13 up."),
    ("N2", "segnet", "SegNet upsamples by the indices of its max-pools: nothing to learn there, and less memory at "
                     "inference."),
    ("N3", "segnet", "Pooling indices sharpen edges, save parameters, and fit any encoder with a decoder."),
    ("N4", "segnet", "SegNet runs in real time; on CamVid and SUN RGB-D it is a little worse than DeepLab v1, but "
                     "lighter."),
    ("D1", "dilation", "A CNN has two troubles with dense labels: sampling down loses detail, and invariance to "
                       "shifts blurs positions."),
    ("D2", "dilation", "Dilation enlarges the receptive field at no cost in parameters or computation."),
    ("D3", "dilation", "One dilated convolution does the work of sampling down, convolving and sampling up."),
    ("D4", "dilation", "The receptive field follows R_j = R_(j-1) + (k - 1) J_(j-1) and J_j = J_(j-1) s, from R_0 = "
                       "J_0 = 1; two layers (k 3, s 2, p 1) on a 5x5 input give 3x3 with R = 3, then 2x2 with R = 7."),
    ("D5", "deeplab", "DeepLab v1 is a VGG16 with dilated layers, followed by a fully connected CRF that sharpens "
                      "the edges."),
    ("D6", "deeplab", "DeepLab v2 predicts at every 8th pixel in place of every 32nd, sees several scales through "
                      "ASPP, and its CRF improves both the picture and the score."),
    ("D7", "deeplab", "DeepLab v3 gives the last ResNet block a grid of rates and adds image pooling and a 1x1 "
                      "convolution to ASPP (rates 6, 12, 18, doubled at output stride 8); the code listed for it is "
                      "right."),
)  # fmt: skip

SECOND_NOTE = (
    ("L1", "losses", "Cross entropy suits most tasks, but with two classes it leans to the frequent one."),
    ("L2", "losses", "Weighting the classes of the cross entropy relieves imbalance."),
    ("L3", "losses", "Binary cross entropy is the two-class cross entropy after a sigmoid."),
    ("L4", "losses", "Focal loss keeps the loss of unlikely answers and removes most of that of likely ones, which "
                     "helps with hard pixels and with rare foreground."),
    ("L5", "losses", "Dice loss suits extreme imbalance, but its gradients make training unstable."),
    ("L6", "losses", "Dice and IoU losses optimise the measure itself, cross entropy only a stand-in for it."),
    ("L7", "pixels losses", "Under imbalance accuracy alone misleads: precision, recall and others have to be read "
                            "beside it."),
    ("B1", "bisenet", "Real-time networks buy their speed with resolution and pay for it in accuracy."),
    ("B2", "bisenet", "BiSeNet keeps detail in a spatial path at 1/8, gets a large receptive field from a fast "
                      "context path, and joins the two in a feature fusion module."),
    ("B3", "bisenet", "Attention refinement and feature fusion modules each improve the prediction."),
    ("B4", "bisenet", "Global average pooling in place of fully connected layers saves many parameters and widens "
                      "the receptive field, but may slow convergence."),
    ("B5", "bisenet", "BiSeNet is accurate and fast on Cityscapes, CamVid and COCO-Stuff."),
    ("B6", "bisenet", "The code listed for BiSeNet is a correct BiSeNet."),
)  # fmt: skip

NOTES = {1: "from FCN to DeepLab v3", 2: "losses and BiSeNet"}
"""What the two notes are about."""

CLAIMS = {
    id: Claim(id, note, tuple(lessons.split()), statement)
    for note, rows in ((1, FIRST_NOTE), (2, SECOND_NOTE))
    for id, lessons, statement in rows
}
"""All claims by id, in the order of the notes."""
