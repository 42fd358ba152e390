"""Pose predictor P: head pose from speech (GAIA section 4.3, "Pose-controllable Generation", and equation 8).

Shapes: B sequences, T frames, C channels of the speech encoder's output, P = 3 (pitch, yaw, roll).
"""

from torch import Tensor, nn
from torch.nn import functional

from models.motion.conformer import blanked

__all__ = ["POSE_ANGLES", "PosePredictor"]

POSE_ANGLES = 3
"""Pitch, yaw, roll, in the order of the manifest's `pose_deg`."""


class PosePredictor(nn.Module):
    """Two convolutions of three frames, each with ReLU, LayerNorm and dropout, and a linear layer.

    Its input is detached: the pose loss trains P alone, and the speech encoder is trained for the motion.
    """

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.convolution_1 = nn.Conv1d(width, hidden, 3, padding=1)
        self.norm_1 = nn.LayerNorm(hidden)
        self.convolution_2 = nn.Conv1d(hidden, hidden, 3, padding=1)
        self.norm_2 = nn.LayerNorm(hidden)
        self.output = nn.Linear(hidden, POSE_ANGLES)
        self.dropout = nn.Dropout(dropout)

    def forward(self, speech_BTC: Tensor, mask_BT: Tensor) -> Tensor:
        """Return the (B, T, 3) standardised pose.

        Args:
            speech_BTC: (B, T, C) output of the speech encoder.
            mask_BT: (B, T) False in frames of padding.
        """
        hidden = speech_BTC.detach()
        for convolution, norm in ((self.convolution_1, self.norm_1), (self.convolution_2, self.norm_2)):
            near = convolution(blanked(hidden, mask_BT).transpose(1, 2)).transpose(1, 2)
            hidden = self.dropout(norm(functional.relu(near)))
        pose_BTP: Tensor = self.output(hidden)
        return pose_BTP
