"""The model server alone, as processes on loopback: does it lose requests when it drains, does it grow when it runs?"""
